"""The durable memory of the cell: one row per inspection, written before it is told to anyone."""
