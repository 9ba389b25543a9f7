"""The contract of every DataFrame migkit hands out: columns, dtypes, units, and what each column is for.

A column's *role* drives comparisons, so that a new fact is compared as soon as it is captured:

- ``key``: identifies the row; two states are joined on it.
- ``fact``: part of what the thing *is*; a difference is a change.
- ``measure``: a size, a count, a digest; compared only where a rule says so, shown otherwise.
"""

from migkit.frames.backups import BACKUPS as BACKUPS
from migkit.frames.canaries import STALLS as STALLS
from migkit.frames.columns import CHANGE as CHANGE
from migkit.frames.columns import DETAIL as DETAIL
from migkit.frames.columns import SCHEMA as SCHEMA
from migkit.frames.columns import TABLE as TABLE
from migkit.frames.comparisons import COLUMN_CHANGES as COLUMN_CHANGES
from migkit.frames.comparisons import CONSTRAINT_CHANGES as CONSTRAINT_CHANGES
from migkit.frames.comparisons import INDEX_CHANGES as INDEX_CHANGES
from migkit.frames.comparisons import OBJECT_CHANGES as OBJECT_CHANGES
from migkit.frames.comparisons import ORPHAN_CHANGES as ORPHAN_CHANGES
from migkit.frames.comparisons import ROW_DIFFERENCES as ROW_DIFFERENCES
from migkit.frames.comparisons import TABLE_CHANGES as TABLE_CHANGES
from migkit.frames.deploys import CONNECTIONS as CONNECTIONS
from migkit.frames.deploys import CONSTRAINT_CHECKS as CONSTRAINT_CHECKS
from migkit.frames.deploys import DEPLOY_STEPS as DEPLOY_STEPS
from migkit.frames.deploys import INDEX_CHECKS as INDEX_CHECKS
from migkit.frames.deploys import PLANNED_STEPS as PLANNED_STEPS
from migkit.frames.deploys import RECOVERED as RECOVERED
from migkit.frames.fleets import FLEET as FLEET
from migkit.frames.load import LOAD_ERRORS as LOAD_ERRORS
from migkit.frames.load import LOAD_FRAMES as LOAD_FRAMES
from migkit.frames.load import LOAD_STATEMENTS as LOAD_STATEMENTS
from migkit.frames.load import PERCENTILES as PERCENTILES
from migkit.frames.load import TIMELINE as TIMELINE
from migkit.frames.load import WORKLOAD as WORKLOAD
from migkit.frames.observing import INCIDENTS as INCIDENTS
from migkit.frames.observing import METRICS as METRICS
from migkit.frames.observing import PROGRESS as PROGRESS
from migkit.frames.observing import TABLE_SIZES as TABLE_SIZES
from migkit.frames.point_in_time import PITR_BASES as PITR_BASES
from migkit.frames.point_in_time import PITR_GAPS as PITR_GAPS
from migkit.frames.point_in_time import PITR_MARKS as PITR_MARKS
from migkit.frames.runs import LOCKS as LOCKS
from migkit.frames.runs import RUN_FRAMES as RUN_FRAMES
from migkit.frames.runs import STATEMENTS as STATEMENTS
from migkit.frames.runs import WAITS as WAITS
from migkit.frames.states import COLUMNS as COLUMNS
from migkit.frames.states import CONSTRAINTS as CONSTRAINTS
from migkit.frames.states import INDEXES as INDEXES
from migkit.frames.states import OBJECTS as OBJECTS
from migkit.frames.states import ORPHANS as ORPHANS
from migkit.frames.states import SEGMENTS as SEGMENTS
from migkit.frames.states import STATE_FRAMES as STATE_FRAMES
from migkit.frames.states import TABLES as TABLES
from migkit.frames.states import UNCHECKED as UNCHECKED
from migkit.frames.verdicts import CHECKS as CHECKS
from migkit.frames.verdicts import FINDINGS as FINDINGS
