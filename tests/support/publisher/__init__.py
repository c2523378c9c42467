"""The publisher, rclone and buckets, as tests have them."""
