import type { Action } from '#action/define.ts'
import { create, get, list, pause, resume, rotateSecret, update } from './actions-connections.ts'
import { coursesImport, coursesList, coursesSave } from './actions-courses.ts'
import { capabilities, probe } from './actions-probe.ts'
import {
  metadataMap,
  pricesList,
  pricesMap,
  productsCreate,
  productsList,
  productsPublish,
} from './actions-products.ts'

export const catalogActions: readonly Action[] = [
  create,
  update,
  list,
  get,
  pause,
  resume,
  rotateSecret,
  probe,
  capabilities,
  coursesList,
  coursesSave,
  coursesImport,
  productsCreate,
  productsPublish,
  productsList,
  pricesMap,
  pricesList,
  metadataMap,
]
