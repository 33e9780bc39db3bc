/** Where actions are called: `POST /api/v1/<action name>`. */
export const apiPrefix = '/api/v1'
