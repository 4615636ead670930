"""Pictures of the report and of the comparison, each a PNG."""
