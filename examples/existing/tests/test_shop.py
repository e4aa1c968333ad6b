from kakaoauth import testing


def test_cart_is_still_there_after_the_login(client):
    client.post("/cart/green/")
    client.post("/cart/green/")
    client.post("/cart/citron/")
    answer = client.get("/checkout/")
    assert (answer.status_code, answer.location) == (302, "/auth/?next=/checkout/")
    assert testing.log_in(client, next="/checkout/").location == "/checkout/"
    page = client.get("/checkout/").text
    assert "haneul@example.kr" in page
    assert "2 × Green tea" in page
    assert "1 × Citron tea" in page
    assert "25000 won" in page


def test_admin_comes_in_by_password_as_before(client):
    assert "Stock" not in client.get("/admin/").text
    assert client.post("/admin/", data={"password": "a guess"}).status_code == 403
    assert "Stock" not in client.get("/admin/").text
    assert "Stock" in client.post("/admin/", data={"password": "only for tests"}).text
    assert "Stock" in client.get("/admin/").text


def test_login_with_kakao_makes_no_admin(client):
    testing.log_in(client)
    assert "Stock" not in client.get("/admin/").text


def test_error_pages_are_the_shops_own(app, client):
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.add_url_rule("/broken/", view_func=lambda: 1 / 0)
    for path, status, message in (
        ("/nowhere/", 404, "We have no such page."),
        ("/auth/nowhere/", 404, "We have no such page."),
        ("/broken/", 500, "Something broke. We have been told."),
    ):
        answer = client.get(path)
        assert (answer.status_code, message in answer.text) == (status, True)


def test_pages_of_kakaoauth_are_in_the_shops_layout(client):
    assert ">Tea shop</a>" in client.get("/auth/").text
