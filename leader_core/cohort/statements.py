"""The cohort's longer SQL statements, one file each under `sql/`."""

from functools import partial

from leader_core import sql

run = partial(sql.run, "leader_core.cohort")
"""Execute `sql/NAME.sql` on a connection; of the values given, those that it names as $parameters are bound."""
