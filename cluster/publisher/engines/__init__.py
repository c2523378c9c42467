"""Where publications are kept: a folder, or a bucket by way of rclone."""
