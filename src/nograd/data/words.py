"""Words that stand for something else in a cell: missing values, and yes and no."""

MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "?", "-", "."})
TRUE = frozenset({"true", "yes", "y", "t", "on"})
FALSE = frozenset({"false", "no", "n", "f", "off"})
