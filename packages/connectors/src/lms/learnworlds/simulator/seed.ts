import { addCourse } from './catalog.ts'
import { emptyState, type School } from './state.ts'
import { addUser } from './users.ts'

const demoCourses = [
  { id: 'sourdough-basics', title: 'Sourdough basics', price: 49, units: 6, categories: ['baking'] },
  { id: 'pastry-foundations', title: 'Pastry foundations', price: 79, units: 8, categories: ['baking'] },
  { id: 'cafe-bookkeeping', title: 'Bookkeeping for a small cafe', price: 120, units: 10, categories: ['business'] },
  { id: 'menu-pricing', title: 'Pricing a menu', price: 60, units: 4, categories: ['business'] },
  { id: 'food-safety', title: 'Food safety at work', price: 35, units: 5, categories: ['safety'], expiresDays: 365 },
  { id: 'welcome-tour', title: 'Welcome tour', price: 0, units: 2, access: 'free', categories: [] },
] as const

const demoBundles = [
  { id: 'baker-bundle', title: 'The baker', courses: ['sourdough-basics', 'pastry-foundations'], price: 110 },
  {
    id: 'cafe-owner',
    title: 'The cafe owner',
    courses: ['cafe-bookkeeping', 'menu-pricing', 'food-safety'],
    price: 180,
  },
] as const

const demoLearners = [
  { email: 'amira.haddad@example.com', username: 'Amira Haddad' },
  { email: 'ben.okafor@example.com', username: 'Ben Okafor' },
  { email: 'chiara.romano@example.com', username: 'Chiara Romano' },
  { email: 'dev.patel+school@example.com', username: 'Dev Patel' },
] as const

/** Starts the school anew. The admin and the instructor are always there. */
export function seed(school: School, what: 'demo' | 'empty'): void {
  school.state = emptyState()
  school.tokens.clear()
  addUser(school, { email: 'owner@school.example', username: 'Olga Owner', level: 'admin' })
  addUser(school, { email: 'ines.moreau@school.example', username: 'Ines Moreau', level: 'instructor' })
  if (what === 'empty') return
  for (const course of demoCourses) addCourse(school, course)
  const created = school.clock.now()
  for (const bundle of demoBundles) school.state.bundles.set(bundle.id, { ...bundle, access: 'public', created })
  school.state.plans.set('all-courses', {
    id: 'all-courses',
    title: 'All courses',
    courses: demoCourses.map((course) => course.id),
    price: 29,
    access: 'public',
    interval: 1,
    intervalType: 'month',
    created,
  })
  for (const learner of demoLearners) addUser(school, learner)
}
