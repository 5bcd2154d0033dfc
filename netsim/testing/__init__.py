"""Help for authors of plugins: checks, audits, and strategies for tests of their own."""

from netsim.testing.audit import Audit, Audited, AuditError, Violation, audit_played
from netsim.testing.controllers import check_controller
from netsim.testing.schedulers import check_scheduler

__all__ = [
    "Audit",
    "AuditError",
    "Audited",
    "Violation",
    "audit_played",
    "check_controller",
    "check_scheduler",
]
