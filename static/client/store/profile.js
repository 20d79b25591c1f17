/** The user's own account. */

import { setMe } from "./packets.js";
import { request, upload } from "./requests.js";

/**
 * Change the account: all of the fields, or nothing.
 * @param {{old_password?: string, new_password?: string, email?: string, phone?: string, user_name?: string,
 *   avatar_url?: string}} changes
 * @throws {import("./requests.js").ApiError}
 */
export async function changeProfile(changes) {
  setMe(await request("PATCH", "/user", changes));
}

/**
 * Take a picture as the avatar.
 * @param {Blob} picture PNG, JPEG, GIF or WebP of at most 256 KiB
 * @throws {import("./requests.js").ApiError}
 */
export async function uploadAvatar(picture) {
  setMe(await upload("/user/avatar", picture, "avatar"));
}
