"""What people look at: the summary, the report page and the plots."""
