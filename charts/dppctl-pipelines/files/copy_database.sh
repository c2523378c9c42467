# Run in the database's own image after a run got its turn: fills the run's database with what is current.
# pg_dump reads one snapshot while people go on to read and write: https://www.postgresql.org/docs/current/app-pgdump.html
set -u
[ -e "$DPPCTL_KEPT" ] && exit 0 # nothing runs
note() {
  psql --no-psqlrc --quiet --dbname="$DPPCTL_BESIDE" --set=ON_ERROR_STOP=1 --set=next="$DPPCTL_NEXT" --set=run="$DPPCTL_RUN" \
    --set=until="$1" <<'SQL'
SELECT format('COMMENT ON DATABASE %I IS %L', datname, CASE :'until' WHEN '' THEN '' ELSE jsonb_set(note, '{until}',
  to_jsonb(extract(epoch FROM clock_timestamp()) + nullif(:'until', '')::float8))::text END)
FROM (SELECT datname, shobj_description(oid, 'pg_database')::jsonb AS note FROM pg_database WHERE datname = :'next') AS found
WHERE note ->> 'run' = :'run'
\gexec
SQL
}
stop() { # the turn is free at once: a shell that waits hears of a signal only then
  trap '' TERM INT
  kill 0 # the programs below
  note ""
  exit 143
}
began=$(date +%s)
{
  { pg_dump --format=custom --compress=0 --dbname="$PGDATABASE" || touch /tmp/failed; } \
    | pg_restore --exit-on-error --dbname="$DPPCTL_NEXT"
} &
copying=$!
trap stop TERM INT
if wait "$copying" && [ ! -e /tmp/failed ] && note 120; then
  echo "copied database $PGDATABASE in $(($(date +%s) - began)) seconds"
else
  note ""
  echo "database $PGDATABASE could not be copied, so nothing ran; it stays as it was" >&2
  exit 1
fi
