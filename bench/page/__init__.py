"""A report as one HTML page that needs nothing else: charts as SVG, tables, what was not measured."""
