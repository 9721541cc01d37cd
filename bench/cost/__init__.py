"""What a query costs, here and elsewhere: pure formulas, every quantity with its unit, and dated prices."""
