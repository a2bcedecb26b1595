"""Tell the commits of a repository, newest first."""

from __future__ import annotations

from world import FACTS, World, tell

if __name__ == "__main__":
    tell([{"oid": told.commit_id, "title": told.title} for told in World().api.list_repo_commits(FACTS["repo"])])
