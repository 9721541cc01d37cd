"""The life of the processes: start, listen, announce, drain, and workers beside each other."""
