"""`python -m kakaoauth.embedded`, which is `make run`."""

import sys

from kakaoauth.devserver.supervisor import main

sys.exit(main())
