"""Executors: tasks in worker processes on this machine, in this process, or on a Ray cluster."""
