"""The shop's list of incidents, given. Somebody reads it each morning.

It is a list in memory here. A real shop writes into a table, or calls somebody.
"""

reported = []  # such as {"task": "tasks.ship", "id": "1f0c…", "error": "…", "traceback": "…"}


def report(task, task_id, error, traceback):
    """Add one incident: the name and the id of the task that failed, its error, and where.

    All four are texts. It raises an error when the disk is full, say.
    """
    reported.append({"task": task, "id": task_id, "error": error, "traceback": traceback})
