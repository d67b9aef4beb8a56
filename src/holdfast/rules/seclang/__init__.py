"""Rules in SecLang, the language of ModSecurity and of the OWASP Core Rule Set, over the head of one request.

owasp_ruleset(files, release=...) -> ManagedRuleset     read from the files of a release
"""

from holdfast.rules.seclang.owasp import OWASP_RULESET_ID, THRESHOLD_RULE_ID, owasp_ruleset

__all__ = ["OWASP_RULESET_ID", "THRESHOLD_RULE_ID", "owasp_ruleset"]
