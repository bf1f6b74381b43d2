"""The kit's own helpdesk."""

from hub.testing.reference_helpdesk import LONGEST_COMMENT, TOKEN, ReferenceHelpdesk
from hub.testing.reference_helpdesk import ORIGIN as BASE_URL

__all__ = ["BASE_URL", "LONGEST_COMMENT", "TOKEN", "GuestbookDesk"]

GuestbookDesk = ReferenceHelpdesk
