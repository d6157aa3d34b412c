-- Tenants, users, sessions and refresh tokens: the auth service's side of the schema.

create table tenants (
    tenant_id uuid primary key,
    slug text not null unique,
    -- argon2id of the key that whoever joins must present, in PHC form
    key_hash text not null,
    created_at timestamptz not null default now()
);

create table users (
    user_id uuid primary key,
    tenant_id uuid not null references tenants (tenant_id),
    email text not null,
    name text not null,
    -- argon2id in PHC form
    password_hash text not null,
    created_at timestamptz not null default now(),
    unique (tenant_id, user_id)
);
-- one account for an address, however it is spelled
create unique index users_by_email on users (lower(email));

-- A session is what one login began. Everything issued in it dies with it.
create table sessions (
    session_id uuid primary key,
    tenant_id uuid not null,
    user_id uuid not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    revoked_at timestamptz,
    revoked_for text check (revoked_for in ('logout', 'refresh_reused')),
    check ((revoked_at is null) = (revoked_for is null)),
    foreign key (tenant_id, user_id) references users (tenant_id, user_id)
);
create index sessions_by_user on sessions (user_id);
create index sessions_by_expiry on sessions (expires_at);

-- Refresh tokens rotate: the newest of a session is unspent, the others stay here so that their reuse is seen.
create table refresh_tokens (
    -- SHA-256; the token itself is 32 random bytes and kept nowhere
    token_hash bytea primary key check (octet_length(token_hash) = 32),
    session_id uuid not null references sessions (session_id) on delete cascade,
    issued_at timestamptz not null default now(),
    spent_at timestamptz
);
create unique index refresh_tokens_unspent on refresh_tokens (session_id) where spent_at is null;
