#!/usr/bin/env bash
# A backup: Dagster's history (restore it with pg_restore), and what lies in data/ and storage/. It is whole or not
# there, and the oldest beyond NIFTYFORMER_BACKUPS_KEPT go. Access tokens, which end at 06:00, are left out.
set -euo pipefail
cd "${NIFTYFORMER_PROJECT:-$(dirname "$0")/../..}"
backups=${NIFTYFORMER_BACKUPS:?set it to the folder that backups go to}
kept=${NIFTYFORMER_BACKUPS_KEPT:-14}
umask 077
mkdir -p "$backups"
exec 9>"$backups/.lock"
flock -n 9 || { echo "another backup into $backups is being made: wait for it" >&2; exit 1; }
rm -rf "$backups"/.unfinished-*
name=$(date -u +%Y-%m-%dT%H%M%SZ)
new=$backups/.unfinished-$name
mkdir "$new"

# The history first: an artifact's file is there before the history tells of it, so none that it tells of is missing.
pg_dump --format=custom --file="$new/history.dump"
# tar says 1 where a file was replaced while it was read, as artifacts are: the old one or the new is whole in it.
tar --create --gzip --file="$new/files.tar.gz" --exclude='*.tmp' --exclude='.*.lock' --exclude=access_token.json \
	data storage || [ $? -eq 1 ]
sync "$new"/*
mv "$new" "$backups/$name"

# Names are times: the oldest come first.
(cd "$backups" && ls -1d ????-??-??T??????Z) | head -n "-$kept" | while read -r old; do rm -rf "${backups:?}/$old"; done
echo "$backups/$name"
