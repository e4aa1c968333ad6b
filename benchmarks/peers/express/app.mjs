// The same in Node, as its documentation has it: Express, Passport, passport-kakao, sessions by connect-redis, users by
// pg. The first process makes the table and starts two others, which serve.
import cluster from "node:cluster";
import { RedisStore } from "connect-redis";
import express from "express";
import session from "express-session";
import passport from "passport";
import { Strategy as KakaoStrategy } from "passport-kakao";
import pg from "pg";
import { createClient } from "redis";

const { PEER_CLIENT_ID, PEER_CLIENT_SECRET, PEER_PROVIDER, PEER_PORT } = process.env;
const WORKERS = 2;
// Where PostgreSQL is say PGHOST, PGUSER and PGDATABASE, which pg reads by itself.
const pool = new pg.Pool({ max: 8 });

async function findOrCreate(_accessToken, _refreshToken, profile, done) {
  try {
    const found = await pool.query("SELECT * FROM members WHERE kakao_id = $1", [profile.id]);
    if (found.rowCount) return done(null, found.rows[0]);
    const { email, profile: shown } = profile._json.kakao_account;
    const made = await pool.query(
      "INSERT INTO members (kakao_id, email, nickname) VALUES ($1, $2, $3) RETURNING *",
      [profile.id, email, shown.nickname],
    );
    done(null, made.rows[0]);
  } catch (error) {
    done(error);
  }
}

function kakao() {
  const strategy = new KakaoStrategy(
    {
      clientID: PEER_CLIENT_ID,
      clientSecret: PEER_CLIENT_SECRET,
      callbackURL: `http://127.0.0.1:${PEER_PORT}/kakao/login/callback/`,
      state: true,
    },
    findOrCreate,
  );
  // The package writes Kakao's own addresses over whatever it is given.
  strategy._userProfileURL = `${PEER_PROVIDER}/v2/user/me`;
  strategy._oauth2._authorizeUrl = `${PEER_PROVIDER}/oauth/authorize`;
  strategy._oauth2._accessTokenUrl = `${PEER_PROVIDER}/oauth/token`;
  strategy._oauth2.useAuthorizationHeaderforGET(true);
  return strategy;
}

async function serve() {
  const client = createClient({ socket: { path: process.env.PEER_REDIS_SOCKET }, database: Number(process.env.PEER_REDIS_DB) });
  await client.connect();
  passport.use(kakao());
  passport.serializeUser((user, done) => done(null, user.id));
  passport.deserializeUser((id, done) => {
    pool.query("SELECT * FROM members WHERE id = $1", [id]).then(({ rows }) => done(null, rows[0] ?? false), done);
  });
  const app = express();
  app.use(session({ store: new RedisStore({ client }), secret: "benchmark", resave: false, saveUninitialized: false }));
  app.use(passport.session());
  app.get("/", (_request, response) => response.send("<p>hello</p>"));
  app.get("/kakao/login/", passport.authenticate("kakao"));
  app.get("/kakao/login/callback/", passport.authenticate("kakao", { successRedirect: "/me/", failureRedirect: "/failed/" }));
  app.get("/me/", (request, response) => {
    if (!request.user) return response.redirect("/");
    response.send(`<p>${request.user.email}</p>`);
  });
  app.listen(Number(PEER_PORT), "127.0.0.1");
}

if (cluster.isPrimary) {
  await pool.query(
    "CREATE TABLE IF NOT EXISTS members (id bigserial PRIMARY KEY, kakao_id bigint UNIQUE, email text UNIQUE, nickname text)",
  );
  await pool.end();
  for (let number = 0; number < WORKERS; number += 1) cluster.fork();
} else {
  await serve();
}
