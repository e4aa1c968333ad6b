"""What `make run` adds on a bare machine: a private Redis, the schema, the Kakao sandbox, an example of a front end,
and a watch over all of them.

    supervisor   what is started, in which order, and what is said about it
    checks       what would make a start fail, found before anything is started
    redis        the only file that knows redis-server
    front_end    the only file that serves the example front end, which is the folder of that name
    processes    the only file that starts and ends processes

`python -m kakaoauth.devserver` is `make run`; the tests take their Redis from here.
"""

from kakaoauth.devserver.redis import redis_executable, redis_server

__all__ = ["redis_executable", "redis_server"]
