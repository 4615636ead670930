"""What people and programs read: the report of an experiment, and all experiments side by side."""
