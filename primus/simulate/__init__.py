"""The simulated corpus: one head motion drives IMU, video and narrations, written as the real data sets are."""
