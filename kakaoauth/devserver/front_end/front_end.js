/* An example to copy from: a front end on an origin of its own that logs people in with Kakao and calls the API.

   The tokens are in cookies that no script can read, so there is nothing to keep here and nothing to steal. What a
   front end has to do instead is little: send the cookies (`credentials`), send a header with whatever changes
   something, and, when a call answers 401, get new tokens once and call again. */

"use strict";

const SITE = document.querySelector("meta[name=site]").content;
const LANGUAGE = /^en\b/i.test(navigator.language) ? "en" : "ko";
const TEXTS = {
  ko: {
    title: "예제 프런트엔드", invitation: "로그인하면 내 정보를 보고 바꿀 수 있어요.", login: "카카오 로그인",
    hello: (name) => (name ? `안녕하세요, ${name} 님` : "안녕하세요"), nickname: "닉네임", save: "닉네임 바꾸기",
    saved: "닉네임을 바꿨어요.", refresh: "토큰 새로 받기", refreshed: (n) => `새 토큰을 받았어요. ${n}초 동안 쓸 수 있어요.`,
    logout: "로그아웃", loggedOut: "로그아웃했어요.", over: "로그인이 끝났어요. 다시 로그인해 주세요.",
    away: "사이트가 응답하지 않아요. 잠시 뒤에 다시 해 주세요.",
  },
  en: {
    title: "Example front end", invitation: "Log in to see and change your profile.", login: "Login with Kakao",
    hello: (name) => (name ? `Hello, ${name}` : "Hello"), nickname: "Nickname", save: "Change nickname",
    saved: "Your nickname is changed.", refresh: "New tokens", refreshed: (n) => `Here they are, good for ${n} seconds.`,
    logout: "Log out", loggedOut: "You are logged out.", over: "Your login is over. Please log in again.",
    away: "The site does not answer. Please try again in a moment.",
  },
}[LANGUAGE];

// The API

/* One request. Returns what it answers, or throws an Error whose message is for the person and whose `status` is for
   the program: 0 for no answer at all. */
async function send(method, path, body) {
  const headers = { "Accept-Language": LANGUAGE };  // the API explains its errors in that language
  if (body) headers["Content-Type"] = "application/json";
  // Any value will do: another origin's script cannot set this header, and that is what it proves.
  if (method !== "GET") headers["X-CSRF-Token"] = "1";
  let response, answer;
  try {
    response = await fetch(SITE + path, {
      method, headers, body: body && JSON.stringify(body), credentials: "include", signal: AbortSignal.timeout(15_000),
    });
    answer = response.status === 204 ? null : await response.json();
  } catch {
    throw Object.assign(new Error(TEXTS.away), { status: 0 });
  }
  if (response.ok) return answer;
  const words = response.status === 401 ? TEXTS.over : `${answer.title}. ${answer.detail}`;
  throw Object.assign(new Error(words), { status: response.status });
}

let refreshing = null;

/* Get new tokens. Calls that find out together that the old ones are over share one request: each refresh token works
   once. Another tab may do the same at that moment: the site gives both the same new tokens. */
function refresh() {
  refreshing ??= send("POST", "/api/token/refresh/", {}).finally(() => { refreshing = null; });
  return refreshing;
}

/* One request as the person: if the access token is over, with a new one, once. A 401 that comes out of here means that
   the login is over. */
async function call(method, path, body) {
  try {
    return await send(method, path, body);
  } catch (error) {
    if (error.status !== 401) throw error;
    await refresh();
    return await send(method, path, body);
  }
}

/* The access token's cookie says whose login to end, also when the token is over. */
async function logOut() {
  await send("POST", "/api/token/revoke/", {});
}

// The page. Everything is written as text, never as HTML: nicknames come from outside.

const at = (id) => document.getElementById(id);

function show(user) {
  at("greeting").textContent = user ? TEXTS.hello(user.nickname) : TEXTS.title;
  at("email").textContent = user?.email ?? "";
  at("nickname").value = user?.nickname ?? "";
  at("inside").hidden = !user;
  at("outside").hidden = Boolean(user);
}

/* Do something that ends in words, good or bad. Buttons rest meanwhile: a double click is one click. */
async function perform(action) {
  const buttons = document.querySelectorAll("button");
  buttons.forEach((button) => { button.disabled = true; });
  try {
    at("message").textContent = await action();
  } catch (error) {
    if (error.status === 401) show(null);
    at("message").textContent = error.message;
  } finally {
    buttons.forEach((button) => { button.disabled = false; });
  }
}

document.documentElement.lang = LANGUAGE;
document.title = TEXTS.title;
document.querySelectorAll("[data-text]").forEach((place) => { place.textContent = TEXTS[place.dataset.text]; });
// The login comes back to this page; its origin is one of the site's KAKAOAUTH_FRONTEND_ORIGINS.
const here = location.origin + location.pathname;
at("login").href = `${SITE}/kakao/login/?mode=jwt&next=${encodeURIComponent(here)}`;

at("profile").addEventListener("submit", (event) => {
  event.preventDefault();
  perform(async () => {
    show(await call("PATCH", "/api/users/me/", { nickname: at("nickname").value || null }));
    return TEXTS.saved;
  });
});
at("refresh").addEventListener("click", () => perform(async () => TEXTS.refreshed((await refresh()).expires_in)));
at("logout").addEventListener("click", () => perform(async () => {
  await logOut();
  show(null);
  return TEXTS.loggedOut;
}));

perform(async () => {
  try {
    show(await call("GET", "/api/users/me/"));
  } catch (error) {
    show(null);
    if (error.status !== 401) throw error;  // not logged in is no error here
  }
  return "";
});
