"""What `make run` and `kakaoauth dev` add on a bare machine: a private Redis, the schema, the Kakao sandbox, and a
watch over all of them; `make run` also an example of a front end.

    launch       reads the settings, refuses, or starts the supervisor
    site         the reference site: its schema, its sandbox, gunicorn
    host         the same for somebody's own app, with Werkzeug's reloader and debugger
    supervisor   what is started, in which order, and what is said about it
    checks       what would make a start fail, found before anything is started
    redis        the redis-server: where it is found, how it is started
    front_end    the server of the example front end, which is the folder of that name
    processes    starting and ending processes

`python -m kakaoauth.devserver` is `make run`, kakaoauth/cli/console.py has `kakaoauth dev`; the tests take
their Redis from here.
"""
