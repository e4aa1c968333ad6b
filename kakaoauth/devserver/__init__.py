"""What `make run` adds on a bare machine: a private Redis, the schema, the Kakao sandbox, an example of a front end,
and a watch over all of them.

    launch       reads the settings, refuses, or starts the supervisor
    supervisor   what is started, in which order, and what is said about it
    checks       what would make a start fail, found before anything is started
    redis        the redis-server: where it is found, how it is started
    front_end    the server of the example front end, which is the folder of that name
    processes    starting and ending processes

`python -m kakaoauth.devserver` is `make run`; the tests take their Redis from here.
"""
