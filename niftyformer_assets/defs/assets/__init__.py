"""The assets, one module a package of the pipeline. Each loads, calls its package, saves, and tells Dagster."""
