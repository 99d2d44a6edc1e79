"""
Reads tables as docs/guide/tables.md says, with each reader, and prints a JSON object: table to reader to what it found.

Arguments: a lake's folder, then names of tables.
"""
import datetime
import glob
import json
import sys

import duckdb
import polars
import pyarrow
import pyarrow.dataset
import pyarrow.parquet
from pyspark.sql import SparkSession

lake, *tables = sys.argv[1:]
folders = ['date', 'hour', 'team', 'app']

local = {'spark.ui.enabled': 'false', 'spark.driver.host': '127.0.0.1', 'spark.driver.bindAddress': '127.0.0.1'}
settings = {**local, 'spark.sql.session.timeZone': 'UTC', 'spark.sql.shuffle.partitions': '1'}
builder = SparkSession.builder.master('local[1]')
for name, value in settings.items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()
spark.sparkContext.setLogLevel('OFF')


def plain(value):
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).isoformat(timespec='milliseconds').replace('+00:00', 'Z')
    return value.isoformat() if isinstance(value, datetime.date) else value


def listed(rows):
    return [{name: plain(value) for name, value in row.items()} for row in rows]


def with_duckdb(path):
    types = ', '.join(f"'{name}': {'DATE' if name == 'date' else 'VARCHAR'}" for name in folders)
    hive = f', hive_types = {{{types}}}' if glob.glob(f'{path}/date=*') else ''
    duckdb.sql("SET TimeZone = 'UTC'")
    found = duckdb.sql(f"FROM read_parquet('{path}/**/*.parquet', union_by_name = true{hive})")
    return [dict(zip(found.columns, row)) for row in found.fetchall()]


def with_pyarrow(path):
    types = [(name, pyarrow.date32() if name == 'date' else pyarrow.string()) for name in folders]
    partitioning = pyarrow.dataset.partitioning(pyarrow.schema(types), flavor='hive')
    return pyarrow.dataset.dataset(path, partitioning=partitioning).to_table().to_pylist()


def with_polars(path):
    types = {name: polars.Date if name == 'date' else polars.String for name in folders}
    return polars.scan_parquet(path, hive_schema=types, missing_columns='insert').collect().to_dicts()


def with_spark(path):
    spark.conf.set('spark.sql.sources.partitionColumnTypeInference.enabled', 'false')
    found = spark.read.option('mergeSchema', 'true').parquet(path)
    return [row.asDict() for row in found.collect()]


# As somebody reads who knows nothing of the table but its folder: the columns.
def bare_spark(path):
    spark.conf.set('spark.sql.sources.partitionColumnTypeInference.enabled', 'true')
    return spark.read.parquet(path).columns


bare = {
    'duckdb': lambda path: duckdb.sql(f"FROM '{path}/**/*.parquet'").columns,
    'pyarrow': lambda path: pyarrow.parquet.read_table(path).schema.names,
    'polars': lambda path: polars.read_parquet(path).columns,
    'spark': bare_spark,
}
whole = {'duckdb': with_duckdb, 'pyarrow': with_pyarrow, 'polars': with_polars, 'spark': with_spark}


def tried(read, path):
    try:
        return read(path)
    except Exception as fault:
        return f'{type(fault).__name__}: {fault}'[:500]


def rows_of(read):
    return lambda path: listed(read(path))


print(
    json.dumps(
        {
            table: {
                reader: {
                    'rows': tried(rows_of(read), f'{lake}/{table}'),
                    'columns': tried(lambda path: sorted(bare[reader](path)), f'{lake}/{table}'),
                }
                for reader, read in whole.items()
            }
            for table in tables
        }
    )
)
