"""How fitness moves the search distribution: shaping, the five rules, `grad`."""
