"""The commands of `primus`, a module for each kind of user; `primus.cli` registers them."""
