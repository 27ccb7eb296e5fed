"""What starts deliveries: whole files in inboxes, schedules that are due, and whatever was claimed but never started."""
