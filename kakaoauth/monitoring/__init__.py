"""What the site tells about itself: probes, metrics, numbers for the staff, logs."""
