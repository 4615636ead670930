"""Why a partition is red, on its own page.

Dagster has an event for it, which only its paid edition shows; here an observation of the partition says it. Where
something was made of the partition before, the page shows it among the metadata, otherwise under "View all
historical events".
"""

from __future__ import annotations

import dagster as dg


def failed_partition(asset: dg.AssetKey, partition: str | None, reason: str) -> dg.AssetObservation:
    """The observation that a partition was not made; without one, the asset."""
    return dg.AssetObservation(asset, f"failed: {reason}", {"reason": reason}, partition)


def tell_red_partitions(reason: str) -> None:
    """Give the reason to whatever this run turns red because the asset that is being made failed.

    Those are its partitions that are not made yet, and what the run was to make of it afterwards.
    """
    context = dg.AssetExecutionContext.get()
    partitions: list[str | None] = list(context.partition_keys) if context.assets_def.partitions_def else [None]
    made = _made_by(context)
    for partition in partitions:
        if partition not in made:
            context.log_event(failed_partition(context.asset_key, partition, reason))
    graph = context.job_def.asset_layer.asset_graph
    key = context.partition_key if context.has_partition_key else None
    for asset in sorted(_after(context)):
        partition = key if graph.get(asset).is_partitioned else None
        said = f"{context.asset_key.to_user_string()}, which it is made from, failed: {reason}"
        context.instance.report_runless_asset_event(failed_partition(asset, partition, said))


def _made_by(context: dg.AssetExecutionContext) -> set[str | None]:
    """Those of many partitions that this run made before the error: they are green, and remain so."""
    records = context.instance.get_records_for_run(
        context.run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
    ).records
    events = [record.event_log_entry.dagster_event for record in records if record.asset_key == context.asset_key]
    return {event.partition for event in events if event is not None}


def _after(context: dg.AssetExecutionContext) -> set[dg.AssetKey]:
    """What this run was to make after the asset, from it."""
    graph = context.job_def.asset_layer.asset_graph
    found: set[dg.AssetKey] = set()
    ahead = [context.asset_key]
    while ahead:
        children = graph.get(ahead.pop()).child_keys & graph.executable_asset_keys - found
        found |= children
        ahead += children
    return found
