"""The shop's list of incidents, given. Somebody reads it each morning.

It is a list in memory here. A real shop writes into a table, or calls somebody.
"""

reported = []  # such as {"task": "tasks.total_ink", "id": "1f0c…", "error": "…"}


def report(task, task_id, error):
    """Add one incident: the name and the id of the task that failed, and what went wrong."""
    reported.append({"task": task, "id": task_id, "error": error})
