"""The assets as Dagster knows them, one module a package of the pipeline; what they do is in `defs/bodies`."""
