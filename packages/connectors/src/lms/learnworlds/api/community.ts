import * as z from 'zod'
import { type PageRequest, readPage, walk } from './pages.ts'
import { flag, maybe, maybeText, maybeTime, texts } from './shapes.ts'
import { nothing, path, type Transport } from './transport.ts'

const collectionSchema = z.looseObject({
  id: z.string(),
  name: maybeText,
  space_ids: texts,
  created: maybeTime,
  modified: maybeTime,
})
const spaceSchema = z.looseObject({
  id: z.string(),
  title: maybeText,
  access: maybeText,
  collectionId: maybeText,
  hidden_from_community: flag,
  is_invitation_required: flag,
})
const memberSchema = z.looseObject({ id: z.string(), username: maybeText, status: maybeText })
const postSchema = z.looseObject({
  id: z.string(),
  posted_in: maybe(z.looseObject({ type: maybeText, id: maybeText })),
  user: maybe(z.looseObject({ id: z.string(), username: maybeText })),
  text: maybeText,
  created: maybeTime,
})

export type PostFilter = {
  readonly userId?: string
  readonly spaceId?: string
  readonly courseId?: string
}

/** The part of the community that concerns membership. */
export function communityApi(transport: Transport) {
  const { call } = transport
  return {
    collections: () => readPage(transport, { path: '/v2/community/collections', item: collectionSchema }),
    walkSpaces: (page?: PageRequest) =>
      walk(transport, { path: '/v2/community/spaces', item: spaceSchema, sizable: true }, page),
    space: (id: string) => call({ method: 'GET', path: path`/v2/community/spaces/${id}`, answer: spaceSchema }),
    walkMembers: (space: string, page?: PageRequest) =>
      walk(transport, { path: path`/v2/community/spaces/${space}/users`, item: memberSchema, sizable: true }, page),
    addMembers: (space: string, users: readonly string[]) =>
      call({
        method: 'POST',
        path: path`/v2/community/spaces/${space}/users`,
        body: { uids: users },
        answer: z.looseObject({}),
      }),
    removeMember: (space: string, user: string) =>
      call({ method: 'DELETE', path: path`/v2/community/spaces/${space}/users/${user}`, answer: nothing }),
    walkPosts: (filter: PostFilter = {}, page?: PageRequest) =>
      walk(
        transport,
        {
          path: '/v2/community/posts',
          item: postSchema,
          query: { user_id: filter.userId, space_id: filter.spaceId, course_id: filter.courseId },
          sizable: true,
        },
        page,
      ),
  }
}

const schoolEventSchema = z.looseObject({
  title: maybeText,
  startDate: maybeTime,
  productId: maybeText,
  type: maybeText,
  bookingDetails: maybe(z.looseObject({})),
})

export function schoolApi(transport: Transport) {
  return {
    /** What is on the calendar: drip dates, assignments, live sessions. Not paged. */
    events: (type?: 'dripFeed' | 'fileAssignment' | 'liveSession') =>
      readPage(transport, { path: '/v2/school/events', item: schoolEventSchema, query: { event_type: type } }),
  }
}
