-- Threads, rooms and the events that tell of them: the gateway's side of the schema.
--
-- Every transaction of the gateway says whom it acts for (app.user_id, app.tenant_id, both transaction-local), and row-level
-- security decides what that user may touch. The gateway's role owns nothing and cannot bypass these policies.

create function app_user() returns uuid
    language sql stable parallel safe
    return nullif(current_setting('app.user_id', true), '')::uuid;

create function app_tenant() returns uuid
    language sql stable parallel safe
    return nullif(current_setting('app.tenant_id', true), '')::uuid;

-- A replica's relay delivers events to their recipients; it acts for nobody.
create function app_relay() returns boolean
    language sql stable parallel safe
    return coalesce(current_setting('app.relay', true), '') = 'on';

-- What the gateway may know of users and sessions: never a password or a refresh token.
create view profiles with (security_barrier) as
    select user_id, tenant_id, name, email
    from users
    where tenant_id = app_tenant();

create view live_sessions with (security_barrier) as
    select session_id, user_id
    from sessions
    where revoked_at is null;

-- Threads belong to one user.

create table threads (
    thread_id uuid not null,
    tenant_id uuid not null,
    owner_id uuid not null,
    title text not null,
    ordinal bigint not null generated always as identity,
    last_seq bigint not null default 0,
    created_at timestamptz not null default now(),
    primary key (owner_id, thread_id),
    foreign key (tenant_id, owner_id) references users (tenant_id, user_id)
);
create index threads_by_owner on threads (owner_id, ordinal);
create index threads_by_title on threads (owner_id, md5(title), ordinal);

create table messages (
    thread_id uuid not null,
    seq bigint not null,
    tenant_id uuid not null,
    owner_id uuid not null,
    author_id uuid not null,
    role text not null check (role in ('user', 'agent')),
    body text not null,
    created_at timestamptz not null default now(),
    primary key (owner_id, thread_id, seq),
    foreign key (owner_id, thread_id) references threads (owner_id, thread_id)
);

alter table threads enable row level security;
create policy threads_of_owner on threads
    using (owner_id = app_user())
    with check (owner_id = app_user() and tenant_id = app_tenant());

alter table messages enable row level security;
create policy messages_of_owner on messages
    using (owner_id = app_user())
    with check (owner_id = app_user() and author_id = app_user() and tenant_id = app_tenant());

-- Rooms belong to their members.

create table rooms (
    room_id uuid primary key,
    tenant_id uuid not null,
    name text not null,
    created_by uuid not null,
    ordinal bigint not null generated always as identity,
    last_seq bigint not null default 0,
    created_at timestamptz not null default now(),
    unique (tenant_id, room_id),
    unique (tenant_id, name),
    foreign key (tenant_id, created_by) references users (tenant_id, user_id)
);

create table room_members (
    room_id uuid not null,
    tenant_id uuid not null,
    user_id uuid not null,
    joined_at timestamptz not null default now(),
    primary key (room_id, user_id),
    foreign key (tenant_id, room_id) references rooms (tenant_id, room_id),
    foreign key (tenant_id, user_id) references users (tenant_id, user_id)
);
create index room_members_by_user on room_members (user_id);

create table room_messages (
    room_id uuid not null,
    seq bigint not null,
    tenant_id uuid not null,
    author_id uuid not null,
    body text not null,
    note text,
    created_at timestamptz not null default now(),
    primary key (room_id, seq),
    foreign key (tenant_id, room_id) references rooms (tenant_id, room_id)
);

-- Policies on members cannot read members through their own policy, so the question is asked with the owner's rights. These functions
-- and those below are PL/pgSQL, which keeps its plans: SQL that is not inlined is planned by each statement that calls it.
create function is_member(room uuid) returns boolean
    language plpgsql stable security definer
    set search_path = pg_catalog, public as $$
begin
    return exists (select from room_members where room_id = room and user_id = app_user());
end $$;

-- Asked once for a query, where the above would be asked for every row.
create function own_rooms() returns setof uuid
    language plpgsql stable security definer
    set search_path = pg_catalog, public as $$
begin
    return query select room_id from room_members where user_id = app_user();
end $$;

-- The creator of a room without members lets itself in.
create function may_admit(room uuid) returns boolean
    language plpgsql stable security definer
    set search_path = pg_catalog, public as $$
begin
    return exists (select from room_members where room_id = room and user_id = app_user())
        or (exists (select from rooms where room_id = room and created_by = app_user() and last_seq = 0)
            and not exists (select from room_members where room_id = room));
end $$;

alter table rooms enable row level security;
create policy rooms_seen_by_members on rooms for select using (room_id in (select own_rooms()));
create policy rooms_counted_by_members on rooms for update
    using (is_member(room_id))
    with check (is_member(room_id) and tenant_id = app_tenant());
create policy rooms_made_in_own_tenant on rooms for insert
    with check (created_by = app_user() and tenant_id = app_tenant());

alter table room_members enable row level security;
create policy members_seen_by_members on room_members for select
    using (app_relay() or room_id in (select own_rooms()));
create policy members_removed_by_members on room_members for delete using (is_member(room_id));
create policy members_admitted_by_members on room_members for insert
    with check (tenant_id = app_tenant() and may_admit(room_id));

alter table room_messages enable row level security;
create policy room_messages_seen_by_members on room_messages for select using (room_id in (select own_rooms()));
create policy room_messages_written_by_members on room_messages for insert
    with check (author_id = app_user() and tenant_id = app_tenant() and is_member(room_id));

-- Events: what happened, and who is told. Recipients are fixed by the transaction that writes the event. Within a tenant,
-- cursors grow in commit order: the tenant's lock is held from the drawing of the cursor to the commit. A transaction that
-- takes this lock takes no row's lock after it that another holder of rows could be waiting with.

create table events (
    cursor bigint primary key generated always as identity,
    tenant_id uuid not null,
    kind text not null,
    subject uuid not null,
    author_id uuid not null,
    recipients uuid[] not null,
    data text not null,
    note text,
    created_at timestamptz not null default now()
);
create index events_by_tenant on events (tenant_id, cursor);
create index events_by_age on events (created_at);

alter table events enable row level security;
create policy events_seen_by_recipients on events for select
    using (app_relay() or app_user() = any (recipients));
create policy events_written_by_author on events for insert
    with check (author_id = app_user() and tenant_id = app_tenant());

create function lock_tenant_events() returns void
    language plpgsql volatile as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('events ' || app_tenant()::text, 0));
end $$;

-- How far the tenant's events have come.
create function tenant_cursor() returns bigint
    language plpgsql stable security definer
    set search_path = pg_catalog, public as $$
begin
    return coalesce((select max(cursor) from events where tenant_id = app_tenant()), 0);
end $$;

-- Tells the owner of a thread.
create function post_thread_event(thread uuid, happened text, details text) returns void
    language plpgsql volatile as $$
declare
    at bigint;
begin
    perform lock_tenant_events();
    insert into events (tenant_id, kind, subject, author_id, recipients, data)
        values (app_tenant(), happened, thread, app_user(), array[app_user()], details)
        returning cursor into at;
    perform pg_notify('chat_event', at::text);
end $$;

-- Tells `told`, or when that is null the members of the room as they are once the tenant's lock is held.
create function post_room_event(room uuid, happened text, details text, aside text, told uuid[]) returns void
    language plpgsql volatile as $$
declare
    at bigint;
begin
    perform lock_tenant_events();
    insert into events (tenant_id, kind, subject, author_id, recipients, data, note)
        values (
            app_tenant(), happened, room, app_user(),
            coalesce(told, array(select user_id from room_members where room_id = room)), details, aside)
        returning cursor into at;
    perform pg_notify('chat_event', at::text);
end $$;

-- What a connection was subscribed to, so that its successor can catch up. Only a hash of the resume token is kept.
create table resumes (
    token_hash bytea primary key,
    user_id uuid not null,
    session_id uuid not null,
    subjects uuid[] not null default '{}',
    created_at timestamptz not null default now()
);
create index resumes_by_age on resumes (created_at);

alter table resumes enable row level security;
create policy resumes_of_user on resumes
    using (user_id = app_user())
    with check (user_id = app_user());

-- Forgets what nobody can ask for any more.
create function prune_chat(older_than interval) returns void
    language sql volatile security definer
    set search_path = pg_catalog, public
    begin atomic
        delete from events where created_at < now() - older_than;
        delete from resumes where created_at < now() - older_than;
    end;
revoke execute on function prune_chat(interval) from public;
