-- The roles of deploy/compose.yaml, made and kept right at each start by the server's
-- administrator: amity_owner, who owns the tables and runs `amity migrate`, and amity_worker, who
-- gets what deploy/grants.sql gives. Passwords are read from files, and are in no command line and
-- no log.
\set ON_ERROR_STOP on
\set owner_password `cat "${SECRETS:-/run/secrets}/postgres_owner_password"`
\set worker_password `cat "${SECRETS:-/run/secrets}/postgres_worker_password"`
SET log_statement = none;
SET log_min_error_statement = panic;
SELECT format('CREATE ROLE %I LOGIN', name)
FROM unnest(ARRAY['amity_owner', 'amity_worker']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
ALTER ROLE amity_owner PASSWORD :'owner_password';
ALTER ROLE amity_worker PASSWORD :'worker_password';
GRANT USAGE, CREATE ON SCHEMA public TO amity_owner;
GRANT USAGE ON SCHEMA public TO amity_worker;
-- Those that an earlier version has made as the administrator.
SELECT format('ALTER TABLE %s OWNER TO amity_owner', pg_class.oid::regclass) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
  AND relowner <> 'amity_owner'::regrole \gexec
