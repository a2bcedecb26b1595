"""Copy model repositories from one hub to another, or into the cache of huggingface_hub's client.

In the order of what happens:

    names      what a person asks for: repositories, addresses, whose token goes where
    content    files by what they hold
    hubs       one side: its address, its token, and errors in one line
    reading    what the source has, and what the target has of it
    transfer   one file over a line that may break
    staging    where files wait until all are there
    pushing    one commit at the target
    caching    the client's cache as the target
    copying    a whole copy

Files wait under names made of what they hold: what a hub calls them becomes no path here, but in the client's hands.
"""
