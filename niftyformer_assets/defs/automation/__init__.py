"""What runs by itself: schedules, sensors, and what they look after."""
