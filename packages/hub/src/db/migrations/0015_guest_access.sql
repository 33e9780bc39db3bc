-- Links that open a course for whoever holds them are a choice of the organization, and off until it makes it.
alter table organization add column guest_access boolean not null default false;

alter table launch_link
  -- guest: handed out by the organization, for the learner's mailbox. own: made by the learner's own session.
  add column purpose text not null default 'guest' check (purpose in ('guest', 'own')),
  -- Where in the school to land instead of the course.
  add column redirect_path text;

grant update (guest_access) on organization to bursar_app;
