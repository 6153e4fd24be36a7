"""The data processor: tables in, tables out, on DuckDB."""
