"""How the tables came to be, step by step; run by alembic, from `tars_hub.server.catalog.upgrade`."""
