"""PostgreSQL: the embedded server, pool, migrations, named queries, writer and reader. The only importer of psycopg."""
