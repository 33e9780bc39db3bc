-- Generated from the migrations by npm run generate. Read it, do not edit it.

-- tables

table access_case
  claimant text not null
  holder text
  id text not null
  kind text not null
  last_at timestamp with time zone not null
  opened_at timestamp with time zone not null
  order_id text not null
  organization_id text not null
  presented jsonb not null
  reason text
  resolution text
  resolved_at timestamp with time zone
  resolved_by text
  state text not null default 'open'::text

table account_email
  account_id text not null
  attempts integer not null default 0
  created_at timestamp with time zone not null
  email text not null
  failure_class text
  failure_code text
  failure_message text
  next_try_at timestamp with time zone
  organization_id text not null
  revision bigint not null default 1
  state text not null default 'todo'::text
  updated_at timestamp with time zone not null

table alert
  closed_at timestamp with time zone
  connection_id text not null
  count bigint not null
  failure_class text not null
  failure_code text not null
  first_seen timestamp with time zone not null
  id text not null
  key text not null
  kind text not null
  last_seen timestamp with time zone not null
  message text not null
  organization_id text not null

table api_key
  created_at timestamp with time zone not null
  expires_at timestamp with time zone
  id text not null
  last_used_at timestamp with time zone
  name text not null
  organization_id text not null
  revoked_at timestamp with time zone
  scopes text[] not null
  secret_hash text not null

table audit
  action text not null
  actor_id text
  actor_kind text not null
  actor_name text not null
  at timestamp with time zone not null
  duration_ms integer not null
  id text not null
  input jsonb
  organization_id text not null
  outcome text not null
  trace_id text not null

table breaker
  cause text
  connection_id text not null
  failures integer not null default 0
  opened_at timestamp with time zone
  organization_id text not null
  probe_at timestamp with time zone
  probe_interval_ms integer not null default 0
  probing boolean not null default false
  state text not null default 'closed'::text

table claim
  burnt bytea[] not null default '{}'::bytea[]
  claimed_at timestamp with time zone not null
  emails_differ boolean not null
  evidence text not null
  from_person text
  id text not null
  issuer text not null
  order_id text not null
  organization_id text not null
  subject text not null
  to_person text not null
  undo_hash bytea
  undo_until timestamp with time zone
  undone_at timestamp with time zone

table claim_link
  created_at timestamp with time zone not null
  expires_at timestamp with time zone not null
  id text not null
  mailbox text
  order_id text not null
  organization_id text not null
  token_hash bytea not null
  used_at timestamp with time zone

table connection
  category text not null
  config jsonb not null
  created_at timestamp with time zone not null
  credentials bytea
  id text not null
  name text not null
  organization_id text not null
  platform text not null
  state text not null default 'active'::text
  updated_at timestamp with time zone not null

table connection_secret
  connection_id text not null
  created_at timestamp with time zone not null
  id text not null
  listed boolean not null default false
  organization_id text not null
  sealed bytea not null
  valid_from timestamp with time zone not null
  valid_until timestamp with time zone

table course
  connection_id text not null
  created_at timestamp with time zone not null
  external_id text not null
  id text not null
  kind text not null
  organization_id text not null
  title text not null

table dispute
  amount bigint not null
  connection_id text not null
  created_at timestamp with time zone not null
  currency text not null
  external_id text not null
  funds_withdrawn boolean not null
  id text not null
  order_id text not null
  organization_id text not null
  provider_state text not null
  reason text not null
  state text not null
  updated_at timestamp with time zone not null

table enrollment
  account_id text not null
  actual text not null default 'none'::text
  applied_revision bigint not null default 0
  attempts integer not null default 0
  closed_at timestamp with time zone
  connection_id text not null
  course_id text not null
  created_at timestamp with time zone not null
  failing_since timestamp with time zone
  failure_class text
  failure_code text
  failure_message text
  id text not null
  next_change_at timestamp with time zone
  next_try_at timestamp with time zone
  opened_at timestamp with time zone
  organization_id text not null
  person_id text not null
  revision bigint not null default 1
  tried_at timestamp with time zone
  uncertain boolean not null default false
  updated_at timestamp with time zone not null
  wanted text not null

table entitlement
  course_id text not null
  created_at timestamp with time zone not null
  ended_by_hand boolean not null default false
  ends_at timestamp with time zone
  id text not null
  order_id text
  organization_id text not null
  person_id text not null
  reason text not null
  revision bigint not null default 1
  revoked_at timestamp with time zone
  source text not null
  source_id text not null
  starts_at timestamp with time zone not null
  suspended_at timestamp with time zone
  updated_at timestamp with time zone not null

table idempotency_key
  action text not null
  created_at timestamp with time zone not null
  finished_at timestamp with time zone
  input_hash text not null
  key text not null
  lease_token text not null
  lease_until timestamp with time zone not null
  organization_id text not null
  output jsonb

table identity
  created_at timestamp with time zone not null
  email text
  issuer text not null
  last_seen_at timestamp with time zone
  organization_id text not null
  person_id text not null
  proven_at timestamp with time zone
  subject text not null

table inbound_event
  account text
  api_version text
  attempts integer not null default 0
  connection_id text
  deliveries integer not null default 1
  external_id text not null
  form text not null
  id text not null
  livemode boolean
  next_try_at timestamp with time zone
  occurred_at timestamp with time zone
  organization_id text not null
  outcome text
  payload_day date not null
  processed_at timestamp with time zone
  received_at timestamp with time zone not null
  source text not null
  state text not null default 'pending'::text
  trace_id text not null
  type text not null

table inbound_payload partition by RANGE (day)
  body bytea not null
  day date not null
  event_id text not null
  headers jsonb not null
  organization_id text not null

table installation
  key_probe bytea not null
  one boolean not null default true

table invoice
  amount bigint not null
  connection_id text not null
  created_at timestamp with time zone not null
  currency text not null
  external_id text not null
  id text not null
  organization_id text not null
  payment_id text
  period_end timestamp with time zone
  state text not null
  subscription_id text not null
  updated_at timestamp with time zone not null

table issuer
  access_tokens boolean not null default false
  algorithms text[] not null
  audiences text[] not null default '{}'::text[]
  client_id text
  client_secret bytea
  code_challenge boolean not null default false
  connection text
  created_at timestamp with time zone not null
  id text not null
  name text not null
  organization_id text not null
  sign_in boolean not null default false
  state text not null default 'active'::text
  token_type text not null default 'at+jwt'::text
  trusts_email boolean not null default false
  updated_at timestamp with time zone not null
  url text not null

table issuer_challenge
  attempts integer not null default 0
  auth_session bytea not null
  created_at timestamp with time zone not null
  expires_at timestamp with time zone not null
  id text not null
  issuer_id text not null
  mailbox_hash text not null
  organization_id text not null
  used_at timestamp with time zone

table issuer_keys
  fetched_at timestamp with time zone not null
  issuer text not null
  keys jsonb not null
  metadata jsonb not null

table launch_link
  created_at timestamp with time zone not null
  enrollment_id text not null
  expires_at timestamp with time zone not null
  id text not null
  organization_id text not null
  purpose text not null default 'guest'::text
  redirect_path text
  token_hash bytea not null
  used_at timestamp with time zone

table lms_account
  connection_id text not null
  created_at timestamp with time zone not null
  created_by_hub boolean not null default false
  email text not null
  external_created_at timestamp with time zone
  external_id text
  id text not null
  lease_node text
  lease_token text
  lease_until timestamp with time zone
  organization_id text not null
  person_id text not null
  privileged boolean not null default false
  privileged_accepted boolean not null default false
  username text

table logout_token
  issuer text not null
  jti text not null
  organization_id text not null
  received_at timestamp with time zone not null

table mail_message with (vacuum_truncate=false)
  attempts integer not null default 0
  created_at timestamp with time zone not null
  dedupe_key text
  expires_at timestamp with time zone not null
  failure_code text
  failure_message text
  id text not null
  kept boolean not null default false
  kind text not null
  next_try_at timestamp with time zone
  organization_id text
  sealed bytea
  sent_at timestamp with time zone
  state text not null default 'queued'::text
  to_address text not null

table metadata_map
  connection_id text not null
  key text not null
  organization_id text not null
  product_id text not null
  value text not null

table node
  dead_at timestamp with time zone
  id text not null
  started_at timestamp with time zone not null default now()

table "order"
  amount bigint not null default 0
  amount_refunded bigint not null default 0
  asked_at timestamp with time zone
  buyer_id text
  charge_id text
  checkout_id text
  claim_secret_hash bytea
  claim_secret_more bytea[] not null default '{}'::bytea[]
  claimed_at timestamp with time zone
  claimed_by text
  connection_id text not null
  created_at timestamp with time zone not null
  currency text
  customer_id text
  email text
  email_key text default lower(email)
  form_state text not null default 'open'::text
  gift jsonb
  id text not null
  issue text
  issue_detail text
  learner_email text
  livemode boolean not null
  mailbox_only boolean not null default false
  metadata jsonb not null default '{}'::jsonb
  organization_id text not null
  paid_at timestamp with time zone
  payment_id text
  person_id text
  promotion_code text
  receipt_at timestamp with time zone
  request_hash bytea
  request_key text
  revision bigint not null default 1
  state text not null
  subscription_id text
  told_at timestamp with time zone
  ui text
  updated_at timestamp with time zone not null

table order_line
  amount bigint not null
  amount_refunded bigint not null default 0
  description text not null
  external_id text not null
  id text not null
  order_id text not null
  organization_id text not null
  price_external_id text
  product_version_id text
  quantity integer not null
  tax bigint not null

table organization
  created_at timestamp with time zone not null
  dispute_policy text not null default 'suspend'::text
  grace_days integer not null default 7
  guest_access boolean not null default false
  id text not null
  name text not null
  prepare_seat text not null default 'at_payment'::text
  slug text not null

table organization_origin
  created_at timestamp with time zone not null
  organization_id text not null
  origin text not null

table payment_customer
  connection_id text not null
  created_at timestamp with time zone not null
  external_id text not null
  organization_id text not null
  person_id text not null

table payment_sweep
  connection_id text not null
  organization_id text not null
  swept_until timestamp with time zone not null

table person
  created_at timestamp with time zone not null
  email text
  erased_at timestamp with time zone
  id text not null
  locale text
  merged_into text
  name text
  organization_id text not null

table person_merge
  created_at timestamp with time zone not null
  done_at timestamp with time zone
  evidence text not null
  from_person_id text not null
  id text not null
  into_person_id text not null
  moved jsonb
  moved_at timestamp with time zone
  organization_id text not null
  reason text not null
  requested_by text not null
  staff_accepted boolean not null default false
  state text not null
  waits_for text

table price
  active boolean not null default true
  amount bigint
  connection_id text not null
  created_at timestamp with time zone not null
  currency text
  external_id text not null
  id text not null
  organization_id text not null
  product_id text not null
  recurring boolean

table privacy_request
  created_at timestamp with time zone not null
  document bytea
  document_until timestamp with time zone
  done_at timestamp with time zone
  downloaded_at timestamp with time zone
  due_at timestamp with time zone not null
  id text not null
  kind text not null
  organization_id text not null
  person_id text not null
  reason text
  requested_by text not null
  state text not null default 'running'::text

table privacy_step
  attempts integer not null default 0
  completed_by text
  connection_id text
  evidence jsonb
  kind text not null
  next_try_at timestamp with time zone
  note text
  organization_id text not null
  "position" integer not null
  request_id text not null
  state text not null default 'todo'::text
  subject text
  title text not null
  updated_at timestamp with time zone not null

table product
  active boolean not null default true
  created_at timestamp with time zone not null
  id text not null
  name text not null
  organization_id text not null

table product_version
  course_ids text[] not null
  created_at timestamp with time zone not null
  id text not null
  organization_id text not null
  product_id text not null
  version integer not null

table rate_budget with (fillfactor=50)
  blocked_until bigint not null default 0
  connection_id text not null
  granted bigint[] not null default '{}'::bigint[]
  halved_until bigint not null default 0
  synced bigint not null default 0
  waiting jsonb not null default '[[], [], [], [], []]'::jsonb

table refund
  allocation jsonb
  amount bigint not null
  connection_id text not null
  created_at timestamp with time zone not null
  currency text not null
  external_id text not null
  id text not null
  order_id text not null
  organization_id text not null
  payment_id text
  reason text
  state text not null
  updated_at timestamp with time zone not null

table refund_request
  allocation jsonb not null
  amount bigint not null
  created_at timestamp with time zone not null
  external_id text
  id text not null
  order_id text not null
  organization_id text not null
  reason text not null
  request_key text not null
  state text not null default 'asked'::text
  wish jsonb not null

table revocation
  issuer text not null
  kind text not null
  organization_id text not null
  revoked_before timestamp with time zone not null
  value text not null

table role_grant
  granted_at timestamp with time zone not null
  granted_by text not null
  id text not null
  organization_id text not null
  person_id text not null
  reason text not null
  revoke_reason text
  revoked_at timestamp with time zone
  revoked_by text
  role text not null

table schedule
  created_at timestamp with time zone not null
  cron text not null
  enabled boolean not null default true
  id text not null
  last_run_at timestamp with time zone
  last_skipped_at timestamp with time zone
  name text not null
  next_run_at timestamp with time zone not null
  payload jsonb not null
  task text not null
  timezone text not null
  updated_at timestamp with time zone not null

table schema_migration
  applied_at timestamp with time zone not null default now()
  checksum text not null
  name text not null

table seat_assignment
  assigned_at timestamp with time zone not null
  assigned_by text not null
  email text not null
  id text not null
  line_id text not null
  order_id text not null
  organization_id text not null
  person_id text not null

table session
  address text
  authenticated_at timestamp with time zone not null
  created_at timestamp with time zone not null
  email text
  email_verified boolean not null default false
  expires_at timestamp with time zone not null
  id text not null
  issuer text not null
  last_seen_at timestamp with time zone not null
  mailbox_proven_at timestamp with time zone
  name text
  organization_id text not null
  provider_session_id text
  revoked_at timestamp with time zone
  second_factor_at timestamp with time zone
  subject text not null
  token_hash text
  user_agent text

table sign_in_code
  code_hash text not null
  expires_at timestamp with time zone not null
  is_new boolean not null
  organization_id text not null
  return_path text not null
  session_id text not null
  used_at timestamp with time zone

table subscription
  cancel_at timestamp with time zone
  carried_until timestamp with time zone
  connection_id text not null
  created_at timestamp with time zone not null
  ended_at timestamp with time zone
  external_id text not null
  id text not null
  order_id text not null
  organization_id text not null
  past_due_since timestamp with time zone
  state text not null
  told_at timestamp with time zone
  updated_at timestamp with time zone not null

table timeline_entry
  at timestamp with time zone not null
  data jsonb not null
  enrollment_id text
  id text not null
  kind text not null
  order_id text
  organization_id text not null
  person_id text
  trace_id text not null

-- constraints

"order" order_buyer_id_fkey: FOREIGN KEY (buyer_id) REFERENCES person(id)
"order" order_checkout_id_connection_id_key: UNIQUE (checkout_id, connection_id)
"order" order_claimed_by_fkey: FOREIGN KEY (claimed_by) REFERENCES person(id)
"order" order_connection_id_fkey: FOREIGN KEY (connection_id) REFERENCES connection(id)
"order" order_form_state_check: CHECK ((form_state = ANY (ARRAY['open'::text, 'awaiting_funds'::text, 'expired'::text, 'failed'::text])))
"order" order_issue_check: CHECK ((issue = ANY (ARRAY['price_unknown'::text, 'metadata_mismatch'::text, 'refund_unattributed'::text, 'no_email'::text, 'livemode_mismatch'::text, 'amount_mismatch'::text])))
"order" order_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
"order" order_payment_id_connection_id_key: UNIQUE (payment_id, connection_id)
"order" order_person_id_fkey: FOREIGN KEY (person_id) REFERENCES person(id)
"order" order_pkey: PRIMARY KEY (id)
"order" order_request_key_organization_id_key: UNIQUE (request_key, organization_id)
"order" order_state_check: CHECK ((state = ANY (ARRAY['pending'::text, 'awaiting_funds'::text, 'paid'::text, 'partially_refunded'::text, 'refunded'::text, 'disputed'::text, 'charged_back'::text, 'canceled'::text, 'expired'::text])))
"order" order_subscription_id_connection_id_key: UNIQUE (subscription_id, connection_id)
"order" order_ui_check: CHECK ((ui = ANY (ARRAY['elements'::text, 'embedded_page'::text, 'hosted_page'::text])))
access_case access_case_check: CHECK (((state = 'resolved'::text) = ((resolution IS NOT NULL) AND (resolved_at IS NOT NULL))))
access_case access_case_claimant_fkey: FOREIGN KEY (claimant) REFERENCES person(id)
access_case access_case_holder_fkey: FOREIGN KEY (holder) REFERENCES person(id)
access_case access_case_kind_check: CHECK ((kind = 'second_claimant'::text))
access_case access_case_order_id_fkey: FOREIGN KEY (order_id) REFERENCES "order"(id)
access_case access_case_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
access_case access_case_pkey: PRIMARY KEY (id)
access_case access_case_resolution_check: CHECK ((resolution = ANY (ARRAY['keep'::text, 'move'::text])))
access_case access_case_state_check: CHECK ((state = ANY (ARRAY['open'::text, 'resolved'::text])))
account_email account_email_account_id_fkey: FOREIGN KEY (account_id) REFERENCES lms_account(id) ON DELETE CASCADE
account_email account_email_check: CHECK (((state = 'todo'::text) = (next_try_at IS NOT NULL)))
account_email account_email_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
account_email account_email_pkey: PRIMARY KEY (account_id)
account_email account_email_state_check: CHECK ((state = ANY (ARRAY['todo'::text, 'done'::text, 'waiting_person'::text])))
alert alert_connection_id_fkey: FOREIGN KEY (connection_id) REFERENCES connection(id)
alert alert_kind_check: CHECK ((kind = 'stuck'::text))
alert alert_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
alert alert_pkey: PRIMARY KEY (id)
api_key api_key_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
api_key api_key_pkey: PRIMARY KEY (id)
api_key api_key_scopes_check: CHECK ((cardinality(scopes) > 0))
audit audit_actor_kind_check: CHECK ((actor_kind = ANY (ARRAY['key'::text, 'user'::text, 'client'::text, 'system'::text])))
audit audit_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
audit audit_pkey: PRIMARY KEY (id)
breaker breaker_cause_check: CHECK ((cause = ANY (ARRAY['unavailable'::text, 'unauthorized'::text])))
breaker breaker_connection_id_fkey: FOREIGN KEY (connection_id) REFERENCES connection(id) ON DELETE CASCADE
breaker breaker_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
breaker breaker_pkey: PRIMARY KEY (connection_id)
breaker breaker_state_check: CHECK ((state = ANY (ARRAY['closed'::text, 'open'::text])))
claim claim_evidence_check: CHECK ((evidence = ANY (ARRAY['claim_secret'::text, 'mailbox_code'::text, 'receipt_link'::text, 'session'::text, 'operator'::text])))
claim claim_from_person_fkey: FOREIGN KEY (from_person) REFERENCES person(id)
claim claim_order_id_fkey: FOREIGN KEY (order_id) REFERENCES "order"(id)
claim claim_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
claim claim_pkey: PRIMARY KEY (id)
claim claim_to_person_fkey: FOREIGN KEY (to_person) REFERENCES person(id)
claim_link claim_link_order_id_fkey: FOREIGN KEY (order_id) REFERENCES "order"(id)
claim_link claim_link_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
claim_link claim_link_pkey: PRIMARY KEY (id)
claim_link claim_link_token_hash_key: UNIQUE (token_hash)
connection connection_category_check: CHECK ((category = ANY (ARRAY['lms'::text, 'payment'::text])))
connection connection_organization_id_category_name_key: UNIQUE (organization_id, category, name)
connection connection_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
connection connection_pkey: PRIMARY KEY (id)
connection connection_state_check: CHECK ((state = ANY (ARRAY['active'::text, 'paused'::text])))
connection_secret connection_secret_connection_id_fkey: FOREIGN KEY (connection_id) REFERENCES connection(id) ON DELETE CASCADE
connection_secret connection_secret_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
connection_secret connection_secret_pkey: PRIMARY KEY (id)
course course_connection_id_fkey: FOREIGN KEY (connection_id) REFERENCES connection(id)
course course_external_id_connection_id_kind_key: UNIQUE (external_id, connection_id, kind)
course course_kind_check: CHECK ((kind = ANY (ARRAY['course'::text, 'bundle'::text, 'program'::text, 'class'::text, 'offer'::text, 'voucher'::text, 'subscription'::text])))
course course_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
course course_pkey: PRIMARY KEY (id)
dispute dispute_connection_id_fkey: FOREIGN KEY (connection_id) REFERENCES connection(id)
dispute dispute_external_id_connection_id_key: UNIQUE (external_id, connection_id)
dispute dispute_order_id_fkey: FOREIGN KEY (order_id) REFERENCES "order"(id)
dispute dispute_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
dispute dispute_pkey: PRIMARY KEY (id)
dispute dispute_state_check: CHECK ((state = ANY (ARRAY['inquiry'::text, 'open'::text, 'won'::text, 'lost'::text])))
enrollment enrollment_account_id_fkey: FOREIGN KEY (account_id) REFERENCES lms_account(id)
enrollment enrollment_actual_check: CHECK ((actual = ANY (ARRAY['none'::text, 'granted'::text, 'revoked'::text, 'unknown'::text])))
enrollment enrollment_connection_id_fkey: FOREIGN KEY (connection_id) REFERENCES connection(id)
enrollment enrollment_course_id_fkey: FOREIGN KEY (course_id) REFERENCES course(id)
enrollment enrollment_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
enrollment enrollment_person_id_course_id_key: UNIQUE (person_id, course_id)
enrollment enrollment_person_id_fkey: FOREIGN KEY (person_id) REFERENCES person(id)
enrollment enrollment_pkey: PRIMARY KEY (id)
enrollment enrollment_wanted_check: CHECK ((wanted = ANY (ARRAY['granted'::text, 'revoked'::text])))
entitlement entitlement_course_id_fkey: FOREIGN KEY (course_id) REFERENCES course(id)
entitlement entitlement_order_id_fkey: FOREIGN KEY (order_id) REFERENCES "order"(id)
entitlement entitlement_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
entitlement entitlement_person_id_fkey: FOREIGN KEY (person_id) REFERENCES person(id)
entitlement entitlement_pkey: PRIMARY KEY (id)
entitlement entitlement_source_check: CHECK ((source = ANY (ARRAY['order_line'::text, 'subscription'::text, 'manual'::text])))
entitlement entitlement_source_source_id_person_id_course_id_key: UNIQUE (source, source_id, person_id, course_id)
idempotency_key idempotency_key_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
idempotency_key idempotency_key_pkey: PRIMARY KEY (organization_id, key)
identity identity_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
identity identity_person_id_fkey: FOREIGN KEY (person_id) REFERENCES person(id)
identity identity_pkey: PRIMARY KEY (organization_id, issuer, subject)
inbound_event inbound_event_external_id_source_key: UNIQUE (external_id, source)
inbound_event inbound_event_form_check: CHECK ((form = ANY (ARRAY['snapshot'::text, 'thin'::text])))
inbound_event inbound_event_pkey: PRIMARY KEY (id)
inbound_event inbound_event_state_check: CHECK ((state = ANY (ARRAY['pending'::text, 'done'::text, 'ignored'::text, 'failed'::text, 'unmatched'::text])))
inbound_payload inbound_payload_pkey: PRIMARY KEY (event_id, day)
installation installation_one_check: CHECK (one)
installation installation_pkey: PRIMARY KEY (one)
invoice invoice_connection_id_fkey: FOREIGN KEY (connection_id) REFERENCES connection(id)
invoice invoice_external_id_connection_id_key: UNIQUE (external_id, connection_id)
invoice invoice_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
invoice invoice_pkey: PRIMARY KEY (id)
invoice invoice_subscription_id_fkey: FOREIGN KEY (subscription_id) REFERENCES subscription(id)
issuer issuer_algorithms_check: CHECK (((cardinality(algorithms) > 0) AND (algorithms <@ ARRAY['RS256'::text, 'ES256'::text, 'EdDSA'::text])))
issuer issuer_check: CHECK (((NOT sign_in) OR ((client_id IS NOT NULL) AND (client_secret IS NOT NULL))))
issuer issuer_check1: CHECK (((NOT access_tokens) OR (cardinality(audiences) > 0)))
issuer issuer_check2: CHECK (((NOT code_challenge) OR (trusts_email AND (client_id IS NOT NULL) AND (client_secret IS NOT NULL) AND (connection IS NOT NULL))))
issuer issuer_check3: CHECK (((client_id IS NULL) OR (NOT (client_id = ANY (audiences)))))
issuer issuer_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
issuer issuer_pkey: PRIMARY KEY (id)
issuer issuer_state_check: CHECK ((state = ANY (ARRAY['active'::text, 'paused'::text])))
issuer issuer_token_type_check: CHECK ((token_type = ANY (ARRAY['at+jwt'::text, 'any'::text])))
issuer issuer_url_organization_id_key: UNIQUE (url, organization_id)
issuer_challenge issuer_challenge_issuer_id_fkey: FOREIGN KEY (issuer_id) REFERENCES issuer(id) ON DELETE CASCADE
issuer_challenge issuer_challenge_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
issuer_challenge issuer_challenge_pkey: PRIMARY KEY (id)
issuer_keys issuer_keys_pkey: PRIMARY KEY (issuer)
launch_link launch_link_enrollment_id_fkey: FOREIGN KEY (enrollment_id) REFERENCES enrollment(id)
launch_link launch_link_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
launch_link launch_link_pkey: PRIMARY KEY (id)
launch_link launch_link_purpose_check: CHECK ((purpose = ANY (ARRAY['guest'::text, 'own'::text])))
launch_link launch_link_token_hash_key: UNIQUE (token_hash)
lms_account lms_account_connection_id_fkey: FOREIGN KEY (connection_id) REFERENCES connection(id)
lms_account lms_account_external_id_connection_id_key: UNIQUE (external_id, connection_id)
lms_account lms_account_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
lms_account lms_account_person_id_connection_id_key: UNIQUE (person_id, connection_id)
lms_account lms_account_person_id_fkey: FOREIGN KEY (person_id) REFERENCES person(id)
lms_account lms_account_pkey: PRIMARY KEY (id)
logout_token logout_token_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
logout_token logout_token_pkey: PRIMARY KEY (issuer, jti, organization_id)
mail_message mail_message_check: CHECK (((state = 'queued'::text) = (next_try_at IS NOT NULL)))
mail_message mail_message_check1: CHECK (((state = 'sent'::text) = (sent_at IS NOT NULL)))
mail_message mail_message_check2: CHECK ((((state = 'queued'::text) OR kept) = (sealed IS NOT NULL)))
mail_message mail_message_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
mail_message mail_message_pkey: PRIMARY KEY (id)
mail_message mail_message_state_check: CHECK ((state = ANY (ARRAY['queued'::text, 'sent'::text, 'failed'::text, 'given_up'::text])))
metadata_map metadata_map_connection_id_fkey: FOREIGN KEY (connection_id) REFERENCES connection(id)
metadata_map metadata_map_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
metadata_map metadata_map_pkey: PRIMARY KEY (connection_id, key, value)
metadata_map metadata_map_product_id_fkey: FOREIGN KEY (product_id) REFERENCES product(id)
node node_pkey: PRIMARY KEY (id)
order_line order_line_order_id_external_id_key: UNIQUE (order_id, external_id)
order_line order_line_order_id_fkey: FOREIGN KEY (order_id) REFERENCES "order"(id)
order_line order_line_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
order_line order_line_pkey: PRIMARY KEY (id)
order_line order_line_product_version_id_fkey: FOREIGN KEY (product_version_id) REFERENCES product_version(id)
organization organization_dispute_policy_check: CHECK ((dispute_policy = ANY (ARRAY['suspend'::text, 'keep'::text])))
organization organization_grace_days_check: CHECK (((grace_days >= 0) AND (grace_days <= 90)))
organization organization_pkey: PRIMARY KEY (id)
organization organization_prepare_seat_check: CHECK ((prepare_seat = ANY (ARRAY['at_payment'::text, 'at_claim'::text])))
organization organization_slug_key: UNIQUE (slug)
organization_origin organization_origin_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
organization_origin organization_origin_origin_check: CHECK ((origin ~ '^https?://[a-z0-9.:-]+$'::text))
organization_origin organization_origin_pkey: PRIMARY KEY (organization_id, origin)
payment_customer payment_customer_connection_id_fkey: FOREIGN KEY (connection_id) REFERENCES connection(id)
payment_customer payment_customer_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
payment_customer payment_customer_person_id_fkey: FOREIGN KEY (person_id) REFERENCES person(id)
payment_customer payment_customer_pkey: PRIMARY KEY (external_id, connection_id)
payment_sweep payment_sweep_connection_id_fkey: FOREIGN KEY (connection_id) REFERENCES connection(id)
payment_sweep payment_sweep_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
payment_sweep payment_sweep_pkey: PRIMARY KEY (connection_id)
person person_merged_into_fkey: FOREIGN KEY (merged_into) REFERENCES person(id)
person person_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
person person_pkey: PRIMARY KEY (id)
person_merge person_merge_check: CHECK ((from_person_id <> into_person_id))
person_merge person_merge_check1: CHECK (((state = 'waiting_person'::text) = (waits_for IS NOT NULL)))
person_merge person_merge_check2: CHECK (((state = ANY (ARRAY['moved'::text, 'done'::text])) = (moved_at IS NOT NULL)))
person_merge person_merge_evidence_check: CHECK ((evidence = ANY (ARRAY['proof'::text, 'operator'::text])))
person_merge person_merge_from_person_id_fkey: FOREIGN KEY (from_person_id) REFERENCES person(id)
person_merge person_merge_into_person_id_fkey: FOREIGN KEY (into_person_id) REFERENCES person(id)
person_merge person_merge_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
person_merge person_merge_pkey: PRIMARY KEY (id)
person_merge person_merge_state_check: CHECK ((state = ANY (ARRAY['waiting_person'::text, 'moved'::text, 'done'::text])))
price price_connection_id_fkey: FOREIGN KEY (connection_id) REFERENCES connection(id)
price price_external_id_connection_id_key: UNIQUE (external_id, connection_id)
price price_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
price price_pkey: PRIMARY KEY (id)
price price_product_id_fkey: FOREIGN KEY (product_id) REFERENCES product(id)
privacy_request privacy_request_check: CHECK (((document IS NULL) OR (kind = 'export'::text)))
privacy_request privacy_request_check1: CHECK (((state = 'done'::text) = (done_at IS NOT NULL)))
privacy_request privacy_request_kind_check: CHECK ((kind = ANY (ARRAY['export'::text, 'erase'::text])))
privacy_request privacy_request_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
privacy_request privacy_request_person_id_fkey: FOREIGN KEY (person_id) REFERENCES person(id)
privacy_request privacy_request_pkey: PRIMARY KEY (id)
privacy_request privacy_request_state_check: CHECK ((state = ANY (ARRAY['running'::text, 'waiting_person'::text, 'done'::text])))
privacy_step privacy_step_connection_id_fkey: FOREIGN KEY (connection_id) REFERENCES connection(id)
privacy_step privacy_step_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
privacy_step privacy_step_pkey: PRIMARY KEY (request_id, "position")
privacy_step privacy_step_request_id_fkey: FOREIGN KEY (request_id) REFERENCES privacy_request(id)
privacy_step privacy_step_state_check: CHECK ((state = ANY (ARRAY['todo'::text, 'done'::text, 'waiting_person'::text, 'failed'::text, 'retained'::text])))
product product_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
product product_pkey: PRIMARY KEY (id)
product_version product_version_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
product_version product_version_pkey: PRIMARY KEY (id)
product_version product_version_product_id_fkey: FOREIGN KEY (product_id) REFERENCES product(id)
product_version product_version_product_id_version_key: UNIQUE (product_id, version)
rate_budget rate_budget_connection_id_fkey: FOREIGN KEY (connection_id) REFERENCES connection(id) ON DELETE CASCADE
rate_budget rate_budget_pkey: PRIMARY KEY (connection_id)
refund refund_connection_id_fkey: FOREIGN KEY (connection_id) REFERENCES connection(id)
refund refund_external_id_connection_id_key: UNIQUE (external_id, connection_id)
refund refund_order_id_fkey: FOREIGN KEY (order_id) REFERENCES "order"(id)
refund refund_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
refund refund_pkey: PRIMARY KEY (id)
refund refund_state_check: CHECK ((state = ANY (ARRAY['pending'::text, 'succeeded'::text, 'failed'::text, 'canceled'::text, 'requires_action'::text])))
refund_request refund_request_order_id_fkey: FOREIGN KEY (order_id) REFERENCES "order"(id)
refund_request refund_request_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
refund_request refund_request_pkey: PRIMARY KEY (id)
refund_request refund_request_request_key_organization_id_key: UNIQUE (request_key, organization_id)
refund_request refund_request_state_check: CHECK ((state = ANY (ARRAY['asked'::text, 'made'::text, 'refused'::text])))
revocation revocation_kind_check: CHECK ((kind = ANY (ARRAY['subject'::text, 'session'::text])))
revocation revocation_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
revocation revocation_pkey: PRIMARY KEY (issuer, kind, value, organization_id)
role_grant role_grant_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
role_grant role_grant_person_id_fkey: FOREIGN KEY (person_id) REFERENCES person(id)
role_grant role_grant_pkey: PRIMARY KEY (id)
role_grant role_grant_role_check: CHECK ((role = ANY (ARRAY['payee'::text, 'commerce-admin'::text, 'owner'::text, 'operator'::text, 'support'::text, 'finance'::text, 'developer'::text])))
schedule schedule_name_key: UNIQUE (name)
schedule schedule_pkey: PRIMARY KEY (id)
schema_migration schema_migration_pkey: PRIMARY KEY (name)
seat_assignment seat_assignment_line_id_fkey: FOREIGN KEY (line_id) REFERENCES order_line(id)
seat_assignment seat_assignment_line_id_person_id_key: UNIQUE (line_id, person_id)
seat_assignment seat_assignment_order_id_fkey: FOREIGN KEY (order_id) REFERENCES "order"(id)
seat_assignment seat_assignment_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
seat_assignment seat_assignment_person_id_fkey: FOREIGN KEY (person_id) REFERENCES person(id)
seat_assignment seat_assignment_pkey: PRIMARY KEY (id)
session session_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
session session_pkey: PRIMARY KEY (id)
session session_token_hash_key: UNIQUE (token_hash)
sign_in_code sign_in_code_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
sign_in_code sign_in_code_pkey: PRIMARY KEY (code_hash)
sign_in_code sign_in_code_session_id_fkey: FOREIGN KEY (session_id) REFERENCES session(id) ON DELETE CASCADE
subscription subscription_connection_id_fkey: FOREIGN KEY (connection_id) REFERENCES connection(id)
subscription subscription_external_id_connection_id_key: UNIQUE (external_id, connection_id)
subscription subscription_order_id_fkey: FOREIGN KEY (order_id) REFERENCES "order"(id)
subscription subscription_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
subscription subscription_pkey: PRIMARY KEY (id)
timeline_entry timeline_entry_organization_id_fkey: FOREIGN KEY (organization_id) REFERENCES organization(id)
timeline_entry timeline_entry_pkey: PRIMARY KEY (id)

-- indexes

CREATE INDEX access_case_by_organization ON public.access_case USING btree (organization_id, id)
CREATE UNIQUE INDEX access_case_open ON public.access_case USING btree (order_id, kind, claimant) WHERE (state = 'open'::text)
CREATE UNIQUE INDEX access_case_pkey ON public.access_case USING btree (id)
CREATE INDEX account_email_due ON public.account_email USING btree (next_try_at) WHERE (state = 'todo'::text)
CREATE UNIQUE INDEX account_email_pkey ON public.account_email USING btree (account_id)
CREATE INDEX account_email_waiting ON public.account_email USING btree (organization_id, account_id) WHERE (state = 'waiting_person'::text)
CREATE INDEX alert_newest ON public.alert USING btree (organization_id, id)
CREATE UNIQUE INDEX alert_open ON public.alert USING btree (organization_id, key) WHERE (closed_at IS NULL)
CREATE UNIQUE INDEX alert_pkey ON public.alert USING btree (id)
CREATE UNIQUE INDEX api_key_by_hash ON public.api_key USING btree (secret_hash)
CREATE INDEX api_key_by_organization ON public.api_key USING btree (organization_id, id)
CREATE UNIQUE INDEX api_key_pkey ON public.api_key USING btree (id)
CREATE INDEX audit_by_organization ON public.audit USING btree (organization_id, id)
CREATE INDEX audit_by_trace ON public.audit USING btree (trace_id)
CREATE UNIQUE INDEX audit_pkey ON public.audit USING btree (id)
CREATE UNIQUE INDEX breaker_pkey ON public.breaker USING btree (connection_id)
CREATE INDEX claim_by_order ON public.claim USING btree (order_id, id)
CREATE INDEX claim_by_person ON public.claim USING btree (to_person)
CREATE UNIQUE INDEX claim_by_undo ON public.claim USING btree (undo_hash) WHERE (undo_hash IS NOT NULL)
CREATE UNIQUE INDEX claim_pkey ON public.claim USING btree (id)
CREATE INDEX claim_link_by_order ON public.claim_link USING btree (order_id)
CREATE UNIQUE INDEX claim_link_pkey ON public.claim_link USING btree (id)
CREATE UNIQUE INDEX claim_link_token_hash_key ON public.claim_link USING btree (token_hash)
CREATE UNIQUE INDEX connection_organization_id_category_name_key ON public.connection USING btree (organization_id, category, name)
CREATE UNIQUE INDEX connection_pkey ON public.connection USING btree (id)
CREATE INDEX connection_secret_by_connection ON public.connection_secret USING btree (connection_id)
CREATE UNIQUE INDEX connection_secret_pkey ON public.connection_secret USING btree (id)
CREATE INDEX course_by_organization ON public.course USING btree (organization_id, id)
CREATE UNIQUE INDEX course_external_id_connection_id_kind_key ON public.course USING btree (external_id, connection_id, kind)
CREATE UNIQUE INDEX course_pkey ON public.course USING btree (id)
CREATE INDEX dispute_by_order ON public.dispute USING btree (order_id)
CREATE UNIQUE INDEX dispute_external_id_connection_id_key ON public.dispute USING btree (external_id, connection_id)
CREATE UNIQUE INDEX dispute_pkey ON public.dispute USING btree (id)
CREATE INDEX enrollment_by_account ON public.enrollment USING btree (account_id, next_try_at)
CREATE INDEX enrollment_by_connection_due ON public.enrollment USING btree (connection_id, next_try_at) WHERE (next_try_at IS NOT NULL)
CREATE INDEX enrollment_by_organization ON public.enrollment USING btree (organization_id, id)
CREATE INDEX enrollment_changing ON public.enrollment USING btree (next_change_at) WHERE (next_change_at IS NOT NULL)
CREATE INDEX enrollment_due ON public.enrollment USING btree (next_try_at) WHERE (next_try_at IS NOT NULL)
CREATE INDEX enrollment_failed ON public.enrollment USING btree (organization_id, failure_class, failure_code) WHERE (failure_class IS NOT NULL)
CREATE UNIQUE INDEX enrollment_person_id_course_id_key ON public.enrollment USING btree (person_id, course_id)
CREATE UNIQUE INDEX enrollment_pkey ON public.enrollment USING btree (id)
CREATE INDEX entitlement_by_order ON public.entitlement USING btree (order_id)
CREATE INDEX entitlement_by_organization ON public.entitlement USING btree (organization_id, id)
CREATE INDEX entitlement_by_seat ON public.entitlement USING btree (person_id, course_id)
CREATE UNIQUE INDEX entitlement_pkey ON public.entitlement USING btree (id)
CREATE UNIQUE INDEX entitlement_source_source_id_person_id_course_id_key ON public.entitlement USING btree (source, source_id, person_id, course_id)
CREATE INDEX idempotency_key_by_age ON public.idempotency_key USING btree (created_at)
CREATE UNIQUE INDEX idempotency_key_pkey ON public.idempotency_key USING btree (organization_id, key)
CREATE INDEX identity_by_person ON public.identity USING btree (person_id)
CREATE UNIQUE INDEX identity_pkey ON public.identity USING btree (organization_id, issuer, subject)
CREATE INDEX inbound_event_by_type ON public.inbound_event USING btree (organization_id, type, received_at, id)
CREATE INDEX inbound_event_due ON public.inbound_event USING btree (COALESCE(next_try_at, received_at)) WHERE (state = 'pending'::text)
CREATE UNIQUE INDEX inbound_event_external_id_source_key ON public.inbound_event USING btree (external_id, source)
CREATE INDEX inbound_event_newest ON public.inbound_event USING btree (organization_id, received_at, id)
CREATE INDEX inbound_event_open ON public.inbound_event USING btree (organization_id, state, received_at, id) WHERE (state = ANY (ARRAY['pending'::text, 'failed'::text, 'unmatched'::text]))
CREATE UNIQUE INDEX inbound_event_pkey ON public.inbound_event USING btree (id)
CREATE UNIQUE INDEX inbound_payload_pkey ON ONLY public.inbound_payload USING btree (event_id, day)
CREATE UNIQUE INDEX installation_pkey ON public.installation USING btree (one)
CREATE INDEX invoice_by_payment ON public.invoice USING btree (payment_id, connection_id)
CREATE INDEX invoice_by_subscription ON public.invoice USING btree (subscription_id)
CREATE UNIQUE INDEX invoice_external_id_connection_id_key ON public.invoice USING btree (external_id, connection_id)
CREATE UNIQUE INDEX invoice_pkey ON public.invoice USING btree (id)
CREATE INDEX issuer_by_organization ON public.issuer USING btree (organization_id, id)
CREATE UNIQUE INDEX issuer_of_codes ON public.issuer USING btree (organization_id) WHERE code_challenge
CREATE UNIQUE INDEX issuer_pkey ON public.issuer USING btree (id)
CREATE UNIQUE INDEX issuer_url_organization_id_key ON public.issuer USING btree (url, organization_id)
CREATE INDEX issuer_challenge_by_expiry ON public.issuer_challenge USING btree (expires_at)
CREATE INDEX issuer_challenge_by_issuer ON public.issuer_challenge USING btree (issuer_id)
CREATE INDEX issuer_challenge_by_mailbox ON public.issuer_challenge USING btree (mailbox_hash, issuer_id, id)
CREATE UNIQUE INDEX issuer_challenge_pkey ON public.issuer_challenge USING btree (id)
CREATE UNIQUE INDEX issuer_keys_pkey ON public.issuer_keys USING btree (issuer)
CREATE UNIQUE INDEX launch_link_pkey ON public.launch_link USING btree (id)
CREATE UNIQUE INDEX launch_link_token_hash_key ON public.launch_link USING btree (token_hash)
CREATE INDEX lms_account_by_email ON public.lms_account USING btree (email, connection_id)
CREATE UNIQUE INDEX lms_account_external_id_connection_id_key ON public.lms_account USING btree (external_id, connection_id)
CREATE INDEX lms_account_leased ON public.lms_account USING btree (lease_node) WHERE (lease_node IS NOT NULL)
CREATE UNIQUE INDEX lms_account_person_id_connection_id_key ON public.lms_account USING btree (person_id, connection_id)
CREATE UNIQUE INDEX lms_account_pkey ON public.lms_account USING btree (id)
CREATE INDEX logout_token_by_age ON public.logout_token USING btree (received_at)
CREATE UNIQUE INDEX logout_token_pkey ON public.logout_token USING btree (issuer, jti, organization_id)
CREATE INDEX mail_message_by_address ON public.mail_message USING btree (to_address, created_at, id)
CREATE INDEX mail_message_by_age ON public.mail_message USING btree (created_at) WHERE (state <> 'queued'::text)
CREATE INDEX mail_message_due ON public.mail_message USING btree (next_try_at) WHERE (state = 'queued'::text)
CREATE INDEX mail_message_newest ON public.mail_message USING btree (organization_id, created_at, id)
CREATE UNIQUE INDEX mail_message_once ON public.mail_message USING btree (organization_id, dedupe_key) NULLS NOT DISTINCT WHERE (dedupe_key IS NOT NULL)
CREATE UNIQUE INDEX mail_message_pkey ON public.mail_message USING btree (id)
CREATE UNIQUE INDEX metadata_map_pkey ON public.metadata_map USING btree (connection_id, key, value)
CREATE UNIQUE INDEX node_pkey ON public.node USING btree (id)
CREATE INDEX order_by_buyer ON public."order" USING btree (buyer_id) WHERE (buyer_id IS NOT NULL)
CREATE INDEX order_by_charge ON public."order" USING btree (charge_id)
CREATE INDEX order_by_checkout ON public."order" USING btree (checkout_id)
CREATE INDEX order_by_email ON public."order" USING btree (email_key, organization_id)
CREATE INDEX order_by_organization ON public."order" USING btree (organization_id, id)
CREATE INDEX order_by_payment ON public."order" USING btree (payment_id)
CREATE INDEX order_by_person ON public."order" USING btree (person_id)
CREATE INDEX order_by_state ON public."order" USING btree (organization_id, state, id)
CREATE INDEX order_by_subscription ON public."order" USING btree (subscription_id)
CREATE UNIQUE INDEX order_checkout_id_connection_id_key ON public."order" USING btree (checkout_id, connection_id)
CREATE UNIQUE INDEX order_payment_id_connection_id_key ON public."order" USING btree (payment_id, connection_id)
CREATE UNIQUE INDEX order_pkey ON public."order" USING btree (id)
CREATE UNIQUE INDEX order_request_key_organization_id_key ON public."order" USING btree (request_key, organization_id)
CREATE UNIQUE INDEX order_subscription_id_connection_id_key ON public."order" USING btree (subscription_id, connection_id)
CREATE INDEX order_unclaimed_by_learner ON public."order" USING btree (learner_email, organization_id) WHERE ((learner_email IS NOT NULL) AND (claimed_at IS NULL))
CREATE INDEX order_with_issue ON public."order" USING btree (organization_id, id) WHERE (issue IS NOT NULL)
CREATE UNIQUE INDEX order_line_order_id_external_id_key ON public.order_line USING btree (order_id, external_id)
CREATE UNIQUE INDEX order_line_pkey ON public.order_line USING btree (id)
CREATE UNIQUE INDEX organization_pkey ON public.organization USING btree (id)
CREATE UNIQUE INDEX organization_slug_key ON public.organization USING btree (slug)
CREATE UNIQUE INDEX organization_origin_pkey ON public.organization_origin USING btree (organization_id, origin)
CREATE INDEX payment_customer_by_person ON public.payment_customer USING btree (person_id)
CREATE UNIQUE INDEX payment_customer_pkey ON public.payment_customer USING btree (external_id, connection_id)
CREATE UNIQUE INDEX payment_sweep_pkey ON public.payment_sweep USING btree (connection_id)
CREATE INDEX person_by_email ON public.person USING btree (email, organization_id)
CREATE INDEX person_by_organization ON public.person USING btree (organization_id, id)
CREATE UNIQUE INDEX person_pkey ON public.person USING btree (id)
CREATE INDEX person_merge_by_organization ON public.person_merge USING btree (organization_id, id)
CREATE INDEX person_merge_by_source ON public.person_merge USING btree (from_person_id)
CREATE INDEX person_merge_by_target ON public.person_merge USING btree (into_person_id)
CREATE UNIQUE INDEX person_merge_once ON public.person_merge USING btree (from_person_id) WHERE (state <> 'waiting_person'::text)
CREATE INDEX person_merge_open ON public.person_merge USING btree (moved_at) WHERE (state = 'moved'::text)
CREATE UNIQUE INDEX person_merge_pkey ON public.person_merge USING btree (id)
CREATE INDEX price_by_organization ON public.price USING btree (organization_id, id)
CREATE INDEX price_by_product ON public.price USING btree (product_id)
CREATE UNIQUE INDEX price_external_id_connection_id_key ON public.price USING btree (external_id, connection_id)
CREATE UNIQUE INDEX price_pkey ON public.price USING btree (id)
CREATE INDEX privacy_request_by_organization ON public.privacy_request USING btree (organization_id, id)
CREATE INDEX privacy_request_by_person ON public.privacy_request USING btree (person_id, id)
CREATE INDEX privacy_request_documents ON public.privacy_request USING btree (document_until) WHERE (document IS NOT NULL)
CREATE UNIQUE INDEX privacy_request_open ON public.privacy_request USING btree (person_id, kind) WHERE ((state <> 'done'::text) OR (kind = 'erase'::text))
CREATE UNIQUE INDEX privacy_request_pkey ON public.privacy_request USING btree (id)
CREATE INDEX privacy_request_running ON public.privacy_request USING btree (created_at) WHERE (state <> 'done'::text)
CREATE INDEX privacy_step_by_connection ON public.privacy_step USING btree (connection_id) WHERE (connection_id IS NOT NULL)
CREATE UNIQUE INDEX privacy_step_pkey ON public.privacy_step USING btree (request_id, "position")
CREATE INDEX product_by_organization ON public.product USING btree (organization_id, id)
CREATE UNIQUE INDEX product_pkey ON public.product USING btree (id)
CREATE UNIQUE INDEX product_version_pkey ON public.product_version USING btree (id)
CREATE UNIQUE INDEX product_version_product_id_version_key ON public.product_version USING btree (product_id, version)
CREATE UNIQUE INDEX rate_budget_pkey ON public.rate_budget USING btree (connection_id)
CREATE INDEX refund_by_external ON public.refund USING btree (external_id)
CREATE INDEX refund_by_order ON public.refund USING btree (order_id)
CREATE UNIQUE INDEX refund_external_id_connection_id_key ON public.refund USING btree (external_id, connection_id)
CREATE UNIQUE INDEX refund_pkey ON public.refund USING btree (id)
CREATE INDEX refund_request_by_order ON public.refund_request USING btree (order_id)
CREATE UNIQUE INDEX refund_request_pkey ON public.refund_request USING btree (id)
CREATE UNIQUE INDEX refund_request_request_key_organization_id_key ON public.refund_request USING btree (request_key, organization_id)
CREATE UNIQUE INDEX revocation_pkey ON public.revocation USING btree (issuer, kind, value, organization_id)
CREATE INDEX role_grant_by_organization ON public.role_grant USING btree (organization_id, id)
CREATE UNIQUE INDEX role_grant_live ON public.role_grant USING btree (person_id, role) WHERE (revoked_at IS NULL)
CREATE UNIQUE INDEX role_grant_pkey ON public.role_grant USING btree (id)
CREATE INDEX schedule_due ON public.schedule USING btree (next_run_at) WHERE enabled
CREATE UNIQUE INDEX schedule_name_key ON public.schedule USING btree (name)
CREATE UNIQUE INDEX schedule_pkey ON public.schedule USING btree (id)
CREATE UNIQUE INDEX schema_migration_pkey ON public.schema_migration USING btree (name)
CREATE INDEX seat_assignment_by_order ON public.seat_assignment USING btree (order_id)
CREATE INDEX seat_assignment_by_person ON public.seat_assignment USING btree (person_id)
CREATE UNIQUE INDEX seat_assignment_line_id_person_id_key ON public.seat_assignment USING btree (line_id, person_id)
CREATE UNIQUE INDEX seat_assignment_pkey ON public.seat_assignment USING btree (id)
CREATE INDEX session_by_expiry ON public.session USING btree (expires_at)
CREATE INDEX session_by_person ON public.session USING btree (issuer, subject, organization_id, id)
CREATE INDEX session_by_provider_session ON public.session USING btree (issuer, provider_session_id) WHERE (provider_session_id IS NOT NULL)
CREATE UNIQUE INDEX session_pkey ON public.session USING btree (id)
CREATE UNIQUE INDEX session_token_hash_key ON public.session USING btree (token_hash)
CREATE INDEX sign_in_code_by_expiry ON public.sign_in_code USING btree (expires_at)
CREATE INDEX sign_in_code_by_session ON public.sign_in_code USING btree (session_id)
CREATE UNIQUE INDEX sign_in_code_pkey ON public.sign_in_code USING btree (code_hash)
CREATE INDEX subscription_by_order ON public.subscription USING btree (order_id)
CREATE UNIQUE INDEX subscription_external_id_connection_id_key ON public.subscription USING btree (external_id, connection_id)
CREATE UNIQUE INDEX subscription_pkey ON public.subscription USING btree (id)
CREATE INDEX timeline_by_enrollment ON public.timeline_entry USING btree (enrollment_id, id) WHERE (enrollment_id IS NOT NULL)
CREATE INDEX timeline_by_event ON public.timeline_entry USING btree (((data ->> 'eventId'::text))) WHERE (kind = 'event.received'::text)
CREATE INDEX timeline_by_order ON public.timeline_entry USING btree (order_id, id) WHERE (order_id IS NOT NULL)
CREATE INDEX timeline_by_person ON public.timeline_entry USING btree (person_id, id) WHERE (person_id IS NOT NULL)
CREATE UNIQUE INDEX timeline_entry_pkey ON public.timeline_entry USING btree (id)

-- row security

access_case forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
account_email forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
alert forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
api_key forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
audit forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
breaker forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
claim forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
claim_link forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
connection forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
connection_secret forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
course forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
dispute forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
enrollment forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
entitlement forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
idempotency_key forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
identity forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
inbound_event forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
inbound_payload forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
installation forced
  system to bursar_system for ALL using true check true
invoice forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
issuer forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
issuer_challenge forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
issuer_keys forced
  system to bursar_system for ALL using true check true
launch_link forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
lms_account forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
logout_token forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
mail_message forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (organization_id = bursar_organization()) check (organization_id = bursar_organization())
metadata_map forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
"order" forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
order_line forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
organization forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (id = bursar_organization())
organization_origin forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
payment_customer forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
payment_sweep forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
person forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
person_merge forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
price forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
privacy_request forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
privacy_step forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
product forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
product_version forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
refund forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
refund_request forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
revocation forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
role_grant forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
seat_assignment forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
session forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
sign_in_code forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
subscription forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())
timeline_entry forced
  system to bursar_system for ALL using true check true
  tenant to bursar_app for ALL using (NOT (organization_id IS DISTINCT FROM bursar_organization())) check (organization_id = bursar_organization())

-- grants

bursar_app on access_case: delete, insert, select, update
bursar_system on access_case: delete, insert, select, update
bursar_app on account_email: delete, insert, select, update
bursar_system on account_email: delete, insert, select, update
bursar_app on alert: delete, insert, select, update
bursar_system on alert: delete, insert, select, update
bursar_app on api_key: delete, insert, select, update
bursar_system on api_key: delete, insert, select, update
bursar_app on audit: insert, select
bursar_system on audit: insert, select
bursar_app on breaker: delete, insert, select, update
bursar_system on breaker: delete, insert, select, update
bursar_app on claim: delete, insert, select, update
bursar_system on claim: delete, insert, select, update
bursar_app on claim_link: delete, insert, select, update
bursar_system on claim_link: delete, insert, select, update
bursar_app on connection: delete, insert, select, update
bursar_system on connection: delete, insert, select, update
bursar_app on connection_secret: delete, insert, select, update
bursar_system on connection_secret: delete, insert, select, update
bursar_app on course: delete, insert, select, update
bursar_system on course: delete, insert, select, update
bursar_app on dispute: delete, insert, select, update
bursar_system on dispute: delete, insert, select, update
bursar_app on enrollment: delete, insert, select, update
bursar_system on enrollment: delete, insert, select, update
bursar_app on entitlement: delete, insert, select, update
bursar_system on entitlement: delete, insert, select, update
bursar_app on idempotency_key: delete, insert, select, update
bursar_system on idempotency_key: delete, insert, select, update
bursar_app on identity: delete, insert, select, update
bursar_system on identity: delete, insert, select, update
bursar_app on inbound_event: delete, insert, select, update
bursar_system on inbound_event: delete, insert, select, update
bursar_app on inbound_payload: delete, insert, select, update
bursar_system on inbound_payload: delete, insert, select, update
bursar_system on installation: insert, select
bursar_app on invoice: delete, insert, select, update
bursar_system on invoice: delete, insert, select, update
bursar_app on issuer: delete, insert, select, update
bursar_system on issuer: delete, insert, select, update
bursar_app on issuer_challenge: delete, insert, select, update
bursar_system on issuer_challenge: delete, insert, select, update
bursar_system on issuer_keys: delete, insert, select, update
bursar_app on launch_link: delete, insert, select, update
bursar_system on launch_link: delete, insert, select, update
bursar_app on lms_account: delete, insert, select, update
bursar_system on lms_account: delete, insert, select, update
bursar_app on logout_token: delete, insert, select, update
bursar_system on logout_token: delete, insert, select, update
bursar_app on mail_message: insert
bursar_system on mail_message: delete, insert, select, update
bursar_app on metadata_map: delete, insert, select, update
bursar_system on metadata_map: delete, insert, select, update
bursar_app on "order": delete, insert, select, update
bursar_system on "order": delete, insert, select, update
bursar_app on order_line: delete, insert, select, update
bursar_system on order_line: delete, insert, select, update
bursar_app on organization: select
bursar_system on organization: insert, select, update
bursar_app on organization_origin: delete, insert, select, update
bursar_system on organization_origin: delete, insert, select, update
bursar_app on payment_customer: delete, insert, select, update
bursar_system on payment_customer: delete, insert, select, update
bursar_app on payment_sweep: delete, insert, select, update
bursar_system on payment_sweep: delete, insert, select, update
bursar_app on person: delete, insert, select, update
bursar_system on person: delete, insert, select, update
bursar_app on person_merge: delete, insert, select, update
bursar_system on person_merge: delete, insert, select, update
bursar_app on price: delete, insert, select, update
bursar_system on price: delete, insert, select, update
bursar_app on privacy_request: delete, insert, select, update
bursar_system on privacy_request: delete, insert, select, update
bursar_app on privacy_step: delete, insert, select, update
bursar_system on privacy_step: delete, insert, select, update
bursar_app on product: delete, insert, select, update
bursar_system on product: delete, insert, select, update
bursar_app on product_version: delete, insert, select, update
bursar_system on product_version: delete, insert, select, update
bursar_system on rate_budget: delete, insert, select, update
bursar_app on refund: delete, insert, select, update
bursar_system on refund: delete, insert, select, update
bursar_app on refund_request: delete, insert, select, update
bursar_system on refund_request: delete, insert, select, update
bursar_app on revocation: delete, insert, select, update
bursar_system on revocation: delete, insert, select, update
bursar_app on role_grant: delete, insert, select, update
bursar_system on role_grant: delete, insert, select, update
bursar_system on schedule: delete, insert, select, update
bursar_app on seat_assignment: delete, insert, select, update
bursar_system on seat_assignment: delete, insert, select, update
bursar_app on session: delete, insert, select, update
bursar_system on session: delete, insert, select, update
bursar_app on sign_in_code: delete, insert, select, update
bursar_system on sign_in_code: delete, insert, select, update
bursar_app on subscription: delete, insert, select, update
bursar_system on subscription: delete, insert, select, update
bursar_app on timeline_entry: delete, insert, select, update
bursar_system on timeline_entry: delete, insert, select, update

-- functions

CREATE OR REPLACE FUNCTION public.bursar_dead_job_groups()
 RETURNS TABLE(task text, error text, jobs integer, latest timestamp with time zone)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select t.identifier, regexp_replace(j.last_error, '[a-z]{2,8}_[0-9a-z]{26}|\d+', '#', 'g'), count(*)::int, max(j.updated_at)
  from graphile_worker._private_jobs j join graphile_worker._private_tasks t on t.id = j.task_id
  where j.attempts >= j.max_attempts and j.locked_at is null
  group by 1, 2 order by 3 desc, 1, 2 limit 200
$function$

-- may be called by: bursar_system

CREATE OR REPLACE FUNCTION public.bursar_dead_jobs(before_id bigint, page integer)
 RETURNS TABLE(id bigint, task text, payload json, key text, attempts integer, error text, failed_at timestamp with time zone)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select j.id, t.identifier, j.payload, j.key, j.attempts::int, j.last_error, j.updated_at
  from graphile_worker._private_jobs j join graphile_worker._private_tasks t on t.id = j.task_id
  where j.attempts >= j.max_attempts and j.locked_at is null and (before_id is null or j.id < before_id)
  order by j.id desc limit page
$function$

-- may be called by: bursar_system

CREATE OR REPLACE FUNCTION public.bursar_drop_partitions(parent regclass, before_day date)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  dropped int := 0;
  part record;
begin
  -- Dropping locks the parent for a moment; rather try again later than make everyone queue behind a long reader.
  perform set_config('lock_timeout', '2s', true);
  for part in
    select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent
      join pg_namespace n on n.oid = p.relnamespace
    where i.inhparent = parent and p.relkind = 'p' and n.nspname = 'public' and c.relname ~ '_p\d{8}$'
      and to_date(right(c.relname, 8), 'YYYYMMDD') < before_day
    order by c.relname
  loop
    execute format('drop table public.%I', part.relname);
    dropped := dropped + 1;
  end loop;
  return dropped;
end $function$

-- may be called by: bursar_system

CREATE OR REPLACE FUNCTION public.bursar_enqueue(jobs jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  specs graphile_worker.job_spec[];
  mode text;
  job jsonb;
begin
  foreach mode in array array['replace', 'preserve_run_at'] loop
    specs := array(
      select row(
        j->>'task', (j->'payload')::json, null, (j->>'runAt')::timestamptz, (j->>'maxAttempts')::smallint,
        j->>'key', (j->>'priority')::smallint, null
      )::graphile_worker.job_spec
      from jsonb_array_elements(jobs) with ordinality as e(j, n)
      where coalesce(j->>'keyMode', 'replace') = mode
      order by n);
    if cardinality(specs) > 0 then
      perform graphile_worker.add_jobs(specs, mode = 'preserve_run_at');
    end if;
  end loop;
  for job in select j from jsonb_array_elements(jobs) with ordinality as e(j, n)
             where j->>'keyMode' = 'unsafe_dedupe' order by n loop
    perform graphile_worker.add_job(
      identifier => job->>'task', payload => (job->'payload')::json, run_at => (job->>'runAt')::timestamptz,
      max_attempts => (job->>'maxAttempts')::int, job_key => job->>'key', priority => (job->>'priority')::int,
      job_key_mode => 'unsafe_dedupe');
  end loop;
end $function$

-- may be called by: bursar_app, bursar_system

CREATE OR REPLACE FUNCTION public.bursar_ensure_partitions(parent regclass, from_day date, days integer)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  made int := 0;
  day date;
  part text;
  parent_name text;
begin
  select c.relname into parent_name from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.oid = parent and c.relkind = 'p' and n.nspname = 'public';
  if parent_name is null then raise exception '% is not a partitioned table of ours', parent; end if;
  -- 7216404: any constant; one process makes partitions at a time.
  perform pg_advisory_xact_lock(7216404, parent::oid::bigint::bit(32)::int);
  for day in select from_day + n from generate_series(0, days - 1) n loop
    part := parent_name || '_p' || to_char(day, 'YYYYMMDD');
    continue when exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
                          where n.nspname = 'public' and c.relname = part);
    execute format('create table public.%I (like public.%I including defaults including constraints including storage)',
                   part, parent_name);
    execute format('alter table public.%I attach partition public.%I for values from (%L) to (%L)',
                   parent_name, part, day::text || ' 00:00+00', (day + 1)::text || ' 00:00+00');
    made := made + 1;
  end loop;
  return made;
end $function$

-- may be called by: bursar_system

CREATE OR REPLACE FUNCTION public.bursar_job_pending(job_key text)
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select exists (
    select from graphile_worker._private_jobs where key = job_key and (locked_at is not null or attempts < max_attempts))
$function$

-- may be called by: bursar_system

CREATE OR REPLACE FUNCTION public.bursar_job_released()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  verdict jsonb;
begin
  if new.flags ? 'superseded' then
    delete from graphile_worker._private_jobs where id = new.id;
  elsif starts_with(new.last_error, 'bursar:') then
    verdict := substr(new.last_error, 8)::jsonb;
    update graphile_worker._private_jobs set
      run_at = (verdict->>'runAt')::timestamptz,
      attempts = case when verdict ? 'snooze' then greatest(0, attempts - 1) else attempts end,
      last_error = case when verdict ? 'snooze' then old.last_error else verdict->>'error' end
    where id = new.id;
  end if;
  return null;
end $function$

CREATE OR REPLACE FUNCTION public.bursar_job_replaced()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  delete from graphile_worker._private_jobs where id = new.id;
  return null;
end $function$

CREATE OR REPLACE FUNCTION public.bursar_job_superseded()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  new.flags := coalesce(new.flags, '{}') || '{"superseded": true}';
  return new;
end $function$

CREATE OR REPLACE FUNCTION public.bursar_order_address()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if exists (select from public.person p where p.id = new.person_id and p.erased_at is not null) then
    new.email := null;
  end if;
  return new;
end $function$

CREATE OR REPLACE FUNCTION public.bursar_organization()
 RETURNS text
 LANGUAGE sql
 STABLE PARALLEL SAFE
RETURN NULLIF(current_setting('bursar.organization'::text, true), ''::text)

CREATE OR REPLACE FUNCTION public.bursar_protect(target regclass)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format('create policy tenant on %s to bursar_app using (organization_id is not distinct from bursar_organization()) with check (organization_id = bursar_organization())', target);
  execute format('create policy system on %s to bursar_system using (true) with check (true)', target);
  execute format('grant select, insert, update, delete on %s to bursar_app, bursar_system', target);
end $function$

CREATE OR REPLACE FUNCTION public.bursar_revive_job(job_id bigint, at timestamp with time zone)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  update graphile_worker._private_jobs set attempts = 0, run_at = at, last_error = null, updated_at = at
  where id = job_id and attempts >= max_attempts and locked_at is null;
  return found;
end $function$

-- may be called by: bursar_system

CREATE OR REPLACE FUNCTION public.bursar_take_slot(connection text, lane integer, requests integer, window_ms integer, cost integer, at bigint)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
declare
  margin_ms constant int := 250;
  return_ms constant int := 5000;
  waiting_max constant int := 200;
  b rate_budget;
  t bigint;
  span bigint := window_ms + margin_ms;
  room int;
  ahead int := 0;
  higher int := 0;
  due bigint := 0;
  nth int;
  mine bigint[];
  lanes jsonb := '[]';
  returned boolean := false;
begin
  -- A crash of the machine may forget the last half second of grants; waiting for the disk would cost more than that.
  perform set_config('synchronous_commit', 'off', true);
  select * into b from rate_budget r where r.connection_id = bursar_take_slot.connection for update;
  if not found then
    insert into rate_budget (connection_id) values (connection) on conflict do nothing;
    select * into b from rate_budget r where r.connection_id = bursar_take_slot.connection for update;
  end if;
  -- Read after the lock was ours, so that time never runs backwards within a row.
  t := greatest(coalesce(at, floor(extract(epoch from clock_timestamp()) * 1000)::bigint),
                coalesce(b.granted[cardinality(b.granted)], 0));
  if t < b.halved_until then requests := greatest(1, requests / 2); end if;
  cost := least(cost, requests);

  b.granted := array(select g from unnest(b.granted) with ordinality as u(g, n) where g > t - span order by n);
  for i in 1..5 loop
    mine := array(select w::bigint from jsonb_array_elements_text(b.waiting->(i - 1)) with ordinality as u(w, n)
                  where w::bigint + return_ms > t order by n);
    if i = lane and mine[1] <= t then
      mine := mine[2:];
      returned := true;
    end if;
    if i < lane then higher := higher + cardinality(mine); end if;
    if i <= lane then ahead := ahead + cardinality(mine); end if;
    lanes := lanes || jsonb_build_array(to_jsonb(mine));
  end loop;
  room := requests - cardinality(b.granted);

  if t < b.blocked_until then due := b.blocked_until; end if;
  if lane >= 4 then due := greatest(due, b.synced + span / requests); end if;
  if room < cost + higher then
    -- The nth grant from the oldest must end before it is our turn; past the ring, its grants come round once more.
    nth := cost - room + ahead;
    if cardinality(b.granted) = 0 then
      due := greatest(due, t + window_ms / requests);
    else
      due := greatest(due, b.granted[1 + (nth - 1) % cardinality(b.granted)] + span * (1 + (nth - 1) / cardinality(b.granted)));
    end if;
  end if;

  if due > t then
    mine := array(select w::bigint from jsonb_array_elements_text(lanes->(lane - 1)) as u(w) order by w::bigint);
    if cardinality(mine) < waiting_max then
      lanes := jsonb_set(lanes, array[(lane - 1)::text],
        to_jsonb(array(select w from unnest(mine || due) as u(w) order by w)));
    end if;
    update rate_budget r set waiting = lanes where r.connection_id = bursar_take_slot.connection;
    return least(due - t, 2147483647)::int;
  end if;
  update rate_budget r set waiting = lanes, granted = b.granted || array_fill(t, array[cost]),
    synced = case when lane >= 4 then t else synced end
  where r.connection_id = bursar_take_slot.connection;
  return 0;
end $function$

-- may be called by: bursar_system

-- triggers

CREATE TRIGGER bursar_released AFTER UPDATE ON graphile_worker._private_jobs FOR EACH ROW WHEN (((old.locked_at IS NOT NULL) AND (new.locked_at IS NULL))) EXECUTE FUNCTION bursar_job_released()
CREATE TRIGGER bursar_replaced AFTER UPDATE ON graphile_worker._private_jobs FOR EACH ROW WHEN (((old.key IS NOT NULL) AND (new.key IS NULL) AND (new.locked_at IS NULL))) EXECUTE FUNCTION bursar_job_replaced()
CREATE TRIGGER bursar_superseded BEFORE UPDATE ON graphile_worker._private_jobs FOR EACH ROW WHEN (((old.key IS NOT NULL) AND (new.key IS NULL) AND (new.locked_at IS NOT NULL))) EXECUTE FUNCTION bursar_job_superseded()
CREATE TRIGGER bursar_order_address BEFORE UPDATE ON public."order" FOR EACH ROW WHEN (((old.email IS NULL) AND (new.email IS NOT NULL) AND (new.person_id IS NOT NULL))) EXECUTE FUNCTION bursar_order_address()
