"""The gunicorn worker that serves the site: no thread ever waits for a client.

gunicorn's own gthread worker gives a connection to a thread at its first byte, and that thread then waits for the rest
of the request and for the client to take the answer, as long as the client likes. Some 64 clients that send half a
request stop a site of 64 threads.

    incoming     whether the bytes that came are a whole request
    connection   a client's connection: what came of it, and what it has not taken yet
    clients      all of them: reading, sending and closing, under deadlines
    pool         the threads that answer
    worker       what gunicorn starts: its main thread has the clients, and gives whole requests to a pool of threads

It is part of the server and not of the site: it imports nothing of it, and nothing of the site imports it.
"""

from kakaoauth.server.worker import BufferingWorker

__all__ = ["BufferingWorker"]
